//! ListRedLines, ListScenarios, ListProposals.

use crate::convert::date::to_date;
use crate::convert::red_line::{from_red_line, to_firmness};
use crate::convert::scenario::{from_proposal, in_brief};
use crate::error::{ApiError, Violations, quoted};
use crate::schema::proto::v1;
use crate::services::RedLines;
use crate::services::page_token::{MAX_PAGE_BYTES, PageToken, QueryHash, page_size};
use crate::serving::list_revision;
use detente_condition::{InputId, did_you_mean};
use detente_core::engine::Compiled;
use detente_core::scenario::model::{Evidence, Firmness, RedLine};
use jiff::civil::Date;
use prost::Message;
use std::cmp::Ordering;

/// The longest text that a filter looks for, in bytes.
const MAX_FILTER_TEXT_BYTES: usize = 200;
/// The longest `order_by`, in bytes.
const MAX_ORDER_BYTES: usize = 200;

impl RedLines {
    /// The red lines of a scenario, filtered, ordered, in pages.
    ///
    /// # Errors
    /// As `ErrorReason` in the schema documents them.
    pub fn list_red_lines(&self, request: v1::ListRedLinesRequest) -> Result<v1::ListRedLinesResponse, ApiError> {
        let id = self.scenario_id(&request.parent, "parent")?;
        let mut violations = Violations::default();
        let size = sized(request.page_size, &mut violations);
        let unfiltered = v1::RedLineFilter::default();
        let asked = request.filter.as_ref().unwrap_or(&unfiltered);
        let order = read_order(&request.order_by, &mut violations);
        let order_text: String = order.iter().map(|(key, falling)| format!("{}{falling}", key.token_text())).collect();
        let query = QueryHash::of(&[b"ListRedLines", id.as_bytes(), &asked.encode_to_vec(), order_text.as_bytes()]);
        let going_on = Cursor::read(&request.page_token, query, &request.revision)?;
        let compiled = self.held(&id, &going_on.revision)?;
        let scenario = compiled.scenario();
        let filter = Filter::read(&compiled, asked, &mut violations);
        violations.into_result()?;
        if let Some(day) = filter.held_on {
            let covered = compiled.check_covered(day);
            covered.map_err(|cause| ApiError::DateNotCovered { field: "filter.held_on", cause })?;
        }
        let revision = scenario.revision.as_str();

        let numbered = scenario.red_lines.iter().enumerate();
        let mut found: Vec<(usize, &RedLine)> =
            numbered.filter(|(position, red_line)| filter.passes(&compiled, *position, red_line)).collect();
        found.sort_by(|(_, a), (_, b)| compare(&compiled, &order, a, b));
        let total_size = i32::try_from(found.len()).unwrap_or(i32::MAX);
        let (red_lines, next) = page(&found, going_on.start, size, |(position, red_line)| {
            from_red_line(scenario, red_line, compiled.deciding_inputs(*position))
        })?;
        let next_page_token = token(next, query, revision);
        Ok(v1::ListRedLinesResponse { red_lines, next_page_token, total_size, revision: revision.to_owned() })
    }

    /// The scenarios that are held, in brief.
    ///
    /// # Errors
    /// As `ErrorReason` in the schema documents them.
    pub fn list_scenarios(&self, request: v1::ListScenariosRequest) -> Result<v1::ListScenariosResponse, ApiError> {
        let mut violations = Violations::default();
        let size = sized(request.page_size, &mut violations);
        violations.into_result()?;
        let query = QueryHash::of(&[b"ListScenarios"]);
        let going_on = Cursor::read(&request.page_token, query, "")?;
        let list = self.visible();
        let revision = &list_revision(&list);
        if going_on.start > 0 && going_on.revision != *revision {
            let (requested, current) = (going_on.revision, revision.clone());
            return Err(ApiError::RevisionNotHeld { requested, current });
        }
        let (scenarios, next) =
            page(&list, going_on.start, size, |compiled| in_brief(compiled.scenario(), self.is_default(compiled)))?;
        let next_page_token = token(next, query, revision);
        Ok(v1::ListScenariosResponse { scenarios, next_page_token, revision: revision.to_owned() })
    }

    /// The reference proposals of a scenario, in pages.
    ///
    /// # Errors
    /// As `ErrorReason` in the schema documents them.
    pub fn list_proposals(&self, request: v1::ListProposalsRequest) -> Result<v1::ListProposalsResponse, ApiError> {
        let id = self.scenario_id(&request.parent, "parent")?;
        let mut violations = Violations::default();
        let size = sized(request.page_size, &mut violations);
        violations.into_result()?;
        let query = QueryHash::of(&[b"ListProposals", id.as_bytes()]);
        let going_on = Cursor::read(&request.page_token, query, &request.revision)?;
        let compiled = self.held(&id, &going_on.revision)?;
        let scenario = compiled.scenario();
        let revision = scenario.revision.as_str();
        let (proposals, next) =
            page(&scenario.proposals, going_on.start, size, |proposal| from_proposal(scenario, proposal))?;
        let total_size = i32::try_from(scenario.proposals.len()).unwrap_or(i32::MAX);
        let next_page_token = token(next, query, revision);
        Ok(v1::ListProposalsResponse { proposals, next_page_token, total_size, revision: revision.to_owned() })
    }
}

fn sized(asked: i32, violations: &mut Violations) -> usize {
    page_size(asked).unwrap_or_else(|| {
        violations.add("page_size", format!("{asked} is negative"));
        0
    })
}

/// Where a list goes on.
struct Cursor {
    /// How many items come before.
    start: usize,
    /// The revision that is listed, by the page token or by a pin; empty: the current one.
    revision: String,
}

impl Cursor {
    fn read(token: &str, query: QueryHash, pinned: &str) -> Result<Self, ApiError> {
        if token.is_empty() {
            return Ok(Self { start: 0, revision: pinned.to_owned() });
        }
        let token = PageToken::decode(token)?;
        if token.query != query || !pinned.is_empty() && token.revision != pinned {
            return Err(ApiError::PageTokenMismatch);
        }
        Ok(Self { start: token.position as usize, revision: token.revision })
    }
}

fn token(next: Option<u32>, query: QueryHash, revision: &str) -> String {
    next.map_or_else(String::new, |position| PageToken { revision: revision.to_owned(), query, position }.encode())
}

/// One page from `start` on, and where the next begins, if there is one.
fn page<T, M: Message>(
    items: &[T],
    start: usize,
    size: usize,
    convert: impl Fn(&T) -> M,
) -> Result<(Vec<M>, Option<u32>), ApiError> {
    // A token is only given out for a place within the list.
    let rest = match items.get(start..) {
        Some(rest) if start == 0 || !rest.is_empty() => rest,
        _ => return Err(ApiError::PageTokenInvalid),
    };
    let (mut page, mut bytes) = (Vec::new(), 0);
    for item in rest.iter().take(size) {
        let message = convert(item);
        bytes += message.encoded_len();
        if bytes > MAX_PAGE_BYTES && !page.is_empty() {
            break;
        }
        page.push(message);
    }
    let next = start + page.len();
    let more = (next < items.len()).then(|| u32::try_from(next).unwrap_or(u32::MAX));
    Ok((page, more))
}

/// A validated [`v1::RedLineFilter`].
#[derive(Default)]
struct Filter {
    party: Option<usize>,
    input: Option<InputId>,
    firmness_at_least: Option<Firmness>,
    held_on: Option<Date>,
    text: String,
}

impl Filter {
    fn read(compiled: &Compiled, asked: &v1::RedLineFilter, violations: &mut Violations) -> Self {
        let scenario = compiled.scenario();
        let mut filter = Self::default();
        let unknown = |what: &str, name: &str, nearest: Option<&str>| {
            let hint = did_you_mean(nearest);
            format!("there is no {what} `{}`{hint}", quoted(name))
        };
        if !asked.party.is_empty() {
            filter.party = scenario.party(&asked.party);
            if filter.party.is_none() {
                let nearest = violations.nearest(&asked.party, scenario.parties.iter().map(|party| &*party.id));
                violations.add("filter.party", unknown("party", &asked.party, nearest));
            }
        }
        if !asked.issue.is_empty() {
            filter.input = scenario.input(&asked.issue).map(|(input, _)| input);
            if filter.input.is_none() {
                let nearest = violations.nearest(&asked.issue, scenario.inputs.iter().map(|input| &*input.id));
                violations.add("filter.issue", unknown("issue or circumstance", &asked.issue, nearest));
            }
        }
        match v1::Firmness::try_from(asked.firmness_at_least) {
            Ok(firmness) => filter.firmness_at_least = to_firmness(firmness),
            Err(_) => violations.add(
                "filter.firmness_at_least",
                format!("there is no firmness {}; 1 is tentative, 4 is absolute", asked.firmness_at_least),
            ),
        }
        filter.held_on = to_date(asked.held_on.as_ref(), "filter.held_on", violations);
        if asked.text.len() > MAX_FILTER_TEXT_BYTES {
            let text = format!("{} bytes are given; at most {MAX_FILTER_TEXT_BYTES} are looked for", asked.text.len());
            violations.over("filter_text", "filter.text", text);
        } else {
            filter.text = asked.text.to_lowercase();
        }
        filter
    }

    fn passes(&self, compiled: &Compiled, position: usize, red_line: &RedLine) -> bool {
        self.party.is_none_or(|party| red_line.party == party)
            && self.input.is_none_or(|input| compiled.deciding_inputs(position).contains(&input))
            && self.firmness_at_least.is_none_or(|least| red_line.firmness >= least)
            && self.held_on.is_none_or(|day| red_line.held.iter().any(|span| span.contains(day)))
            && (self.text.is_empty() || mentions(red_line, &self.text))
    }
}

/// Whether a red line's texts hold this text, which is in lower case.
fn mentions(red_line: &RedLine, text: &str) -> bool {
    let holds = |haystack: &str| haystack.to_lowercase().contains(text);
    let says = |evidence: &Evidence| holds(&evidence.statement) || holds(&evidence.quote) || holds(&evidence.speaker);
    holds(&red_line.id)
        || holds(&red_line.title)
        || red_line.evidence.iter().any(says)
        || red_line
            .waivers
            .iter()
            .any(|waiver| holds(&waiver.id) || holds(&waiver.title) || waiver.evidence.iter().any(says))
}

/// What red lines can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Id,
    Party,
    Firmness,
}

impl Key {
    /// The key's text in a page token's query hash. A token that one replica makes must continue on a replica of
    /// another version, so the text stays whatever the variant is called.
    fn token_text(self) -> &'static str {
        match self {
            Self::Id => "Id",
            Self::Party => "Party",
            Self::Firmness => "Firmness",
        }
    }
}

/// Reads `order_by` (AIP-132): keys with whether they fall.
fn read_order(text: &str, violations: &mut Violations) -> Vec<(Key, bool)> {
    const FIELD: &str = "order_by";
    let mut order: Vec<(Key, bool)> = Vec::new();
    if text.len() > MAX_ORDER_BYTES {
        violations.over(
            "order_by",
            FIELD,
            format!("{} bytes are given; at most {MAX_ORDER_BYTES} are read", text.len()),
        );
        return order;
    }
    if text.trim().is_empty() {
        return order;
    }
    for part in text.split(',') {
        let mut words = part.split_whitespace();
        let key = match words.next() {
            Some("id") => Key::Id,
            Some("party") => Key::Party,
            Some("firmness") => Key::Firmness,
            other => {
                let found = quoted(other.unwrap_or_default());
                violations.add(FIELD, format!("there is no field `{found}`; order by `id`, `party` or `firmness`"));
                continue;
            }
        };
        let falling = match (words.next(), words.next()) {
            (None, _) | (Some("asc"), None) => false,
            (Some("desc"), None) => true,
            _ => {
                violations
                    .add(FIELD, format!("`{}`: after the field comes nothing, `asc` or `desc`", quoted(part.trim())));
                continue;
            }
        };
        if order.iter().any(|(named, _)| *named == key) {
            violations.add(FIELD, format!("`{}` is named already", quoted(part.trim())));
        }
        order.push((key, falling));
    }
    order
}

fn compare(compiled: &Compiled, order: &[(Key, bool)], a: &RedLine, b: &RedLine) -> Ordering {
    let party = |red_line: &RedLine| compiled.scenario().parties.get(red_line.party).map(|party| party.id.clone());
    order.iter().fold(Ordering::Equal, |so_far, (key, falling)| {
        let next = match key {
            Key::Id => a.id.cmp(&b.id),
            Key::Party => party(a).cmp(&party(b)),
            Key::Firmness => a.firmness.cmp(&b.firmness),
        };
        so_far.then(if *falling { next.reverse() } else { next })
    })
}
