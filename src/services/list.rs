//! `ListRedLines`, `ListScenarios`, `ListProposals`, with the filters, the order and the pages of lists.
//!
//! Must not know how page tokens are encoded.

use crate::convert::date::to_date;
use crate::convert::red_line::{from_red_line, to_firmness};
use crate::convert::scenario::{from_proposal, from_scenario_in_brief};
use crate::error::{ApiError, Violations, quoted};
use crate::schema::proto::v1;
use crate::services::RedLines;
use crate::services::page_token::{MAX_PAGE_BYTES, PageToken, QueryHash, page_size};
use crate::serving::list_revision;
use detente_condition::{InputIndex, did_you_mean};
use detente_core::engine::Compiled;
use detente_core::scenario::index::{PartyIndex, RedLineIndex};
use detente_core::scenario::model::{Evidence, Firmness, RedLine};
use jiff::civil::Date;
use prost::Message;
use std::cmp::Ordering;

/// Maximum length of the text of a filter, in bytes.
const MAX_FILTER_TEXT_BYTES: usize = 200;
/// Maximum length of `order_by`, in bytes.
const MAX_ORDER_BYTES: usize = 200;

impl RedLines {
    /// Returns a page of a scenario's red lines, filtered and ordered.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    pub fn list_red_lines(&self, request: v1::ListRedLinesRequest) -> Result<v1::ListRedLinesResponse, ApiError> {
        let id = self.scenario_id(&request.parent, "parent")?;
        let mut violations = Violations::default();
        let size = to_page_size(request.page_size, &mut violations);
        let unfiltered = v1::RedLineFilter::default();
        let requested = request.filter.as_ref().unwrap_or(&unfiltered);
        let order = read_order(&request.order_by, &mut violations);
        let order_text: String = order.iter().map(|(key, falling)| format!("{}{falling}", key.token_text())).collect();
        let query = QueryHash::of(&[
            b"ListRedLines",
            id.as_str().as_bytes(),
            &requested.encode_to_vec(),
            order_text.as_bytes(),
        ]);
        let cursor = Cursor::read(&request.page_token, query, &request.revision)?;
        let compiled = self.scenario_by_id(id.as_str(), &cursor.revision)?;
        let scenario = compiled.scenario();
        let filter = Filter::read(&compiled, requested, &mut violations);
        violations.into_result()?;
        if let Some(day) = filter.held_on {
            let covered = compiled.check_covered(day);
            covered.map_err(|cause| ApiError::DateNotCovered { field: "filter.held_on", cause })?;
        }
        let revision = scenario.revision.as_str();

        let numbered = scenario.red_lines.indexed();
        let mut found: Vec<(RedLineIndex, &RedLine)> =
            numbered.filter(|(position, red_line)| filter.passes(&compiled, *position, red_line)).collect();
        found.sort_by(|(_, a), (_, b)| compare(&compiled, &order, a, b));
        let total_size = i32::try_from(found.len()).unwrap_or(i32::MAX);
        let (red_lines, next) = page(&found, cursor.start, size, |(position, red_line)| {
            from_red_line(scenario, red_line, compiled.deciding_inputs(*position))
        })?;
        let next_page_token = next_token(next, query, revision);
        Ok(v1::ListRedLinesResponse { red_lines, next_page_token, total_size, revision: revision.to_owned() })
    }

    /// Returns a page of the scenarios that the caller may see, in brief.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    pub fn list_scenarios(&self, request: v1::ListScenariosRequest) -> Result<v1::ListScenariosResponse, ApiError> {
        let mut violations = Violations::default();
        let size = to_page_size(request.page_size, &mut violations);
        violations.into_result()?;
        let query = QueryHash::of(&[b"ListScenarios"]);
        let cursor = Cursor::read(&request.page_token, query, "")?;
        let list = self.visible();
        let revision = &list_revision(&list);
        if cursor.start > 0 && cursor.revision != *revision {
            let (requested, current) = (cursor.revision, revision.clone());
            return Err(ApiError::RevisionNotHeld { requested, current });
        }
        let (scenarios, next) = page(&list, cursor.start, size, |compiled| {
            from_scenario_in_brief(compiled.scenario(), self.is_default(compiled))
        })?;
        let next_page_token = next_token(next, query, revision);
        Ok(v1::ListScenariosResponse { scenarios, next_page_token, revision: revision.to_owned() })
    }

    /// Returns a page of a scenario's reference proposals.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    pub fn list_proposals(&self, request: v1::ListProposalsRequest) -> Result<v1::ListProposalsResponse, ApiError> {
        let id = self.scenario_id(&request.parent, "parent")?;
        let mut violations = Violations::default();
        let size = to_page_size(request.page_size, &mut violations);
        violations.into_result()?;
        let query = QueryHash::of(&[b"ListProposals", id.as_str().as_bytes()]);
        let cursor = Cursor::read(&request.page_token, query, &request.revision)?;
        let compiled = self.scenario_by_id(id.as_str(), &cursor.revision)?;
        let scenario = compiled.scenario();
        let revision = scenario.revision.as_str();
        let (proposals, next) =
            page(&scenario.proposals, cursor.start, size, |proposal| from_proposal(scenario, proposal))?;
        let total_size = i32::try_from(scenario.proposals.len()).unwrap_or(i32::MAX);
        let next_page_token = next_token(next, query, revision);
        Ok(v1::ListProposalsResponse { proposals, next_page_token, total_size, revision: revision.to_owned() })
    }
}

fn to_page_size(asked: i32, violations: &mut Violations) -> usize {
    page_size(asked).unwrap_or_else(|| {
        violations.add("page_size", format!("{asked} is negative"));
        0
    })
}

/// The position at which a page begins.
struct Cursor {
    /// Number of items on the previous pages.
    start: usize,
    /// The revision that the page token or the request states; empty for the current revision.
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

fn next_token(next: Option<u32>, query: QueryHash, revision: &str) -> String {
    next.map_or_else(String::new, |position| PageToken { revision: revision.to_owned(), query, position }.encode())
}

/// Returns the page that begins at `start`, and the position at which the next page begins, if there is one.
fn page<T, M: Message>(
    items: &[T],
    start: usize,
    size: usize,
    convert: impl Fn(&T) -> M,
) -> Result<(Vec<M>, Option<u32>), ApiError> {
    // The server issues tokens only for positions within the list, so a token with another position is invalid.
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
    party: Option<PartyIndex>,
    input: Option<InputIndex>,
    firmness_at_least: Option<Firmness>,
    held_on: Option<Date>,
    text: String,
}

impl Filter {
    fn read(compiled: &Compiled, requested: &v1::RedLineFilter, violations: &mut Violations) -> Self {
        let scenario = compiled.scenario();
        let mut filter = Self::default();
        let unknown = |what: &str, name: &str, nearest: Option<&str>| {
            let hint = did_you_mean(nearest);
            format!("there is no {what} `{}`{hint}", quoted(name))
        };
        if !requested.party.is_empty() {
            filter.party = scenario.party(&requested.party);
            if filter.party.is_none() {
                let nearest =
                    violations.nearest(&requested.party, scenario.parties.iter().map(|party| party.id.as_str()));
                violations.add("filter.party", unknown("party", &requested.party, nearest));
            }
        }
        if !requested.issue.is_empty() {
            filter.input = scenario.input(&requested.issue).map(|(input, _)| input);
            if filter.input.is_none() {
                let nearest =
                    violations.nearest(&requested.issue, scenario.inputs.iter().map(|input| input.id.as_str()));
                violations.add("filter.issue", unknown("issue or circumstance", &requested.issue, nearest));
            }
        }
        match v1::Firmness::try_from(requested.firmness_at_least) {
            Ok(firmness) => filter.firmness_at_least = to_firmness(firmness),
            Err(_) => violations.add(
                "filter.firmness_at_least",
                format!("{} is not a firmness; expected 1 (tentative) to 4 (absolute)", requested.firmness_at_least),
            ),
        }
        filter.held_on = to_date(requested.held_on.as_ref(), "filter.held_on", violations);
        if requested.text.len() > MAX_FILTER_TEXT_BYTES {
            let text = format!("the text has {} bytes; the limit is {MAX_FILTER_TEXT_BYTES}", requested.text.len());
            violations.over("filter_text", "filter.text", text);
        } else {
            filter.text = requested.text.to_lowercase();
        }
        filter
    }

    fn passes(&self, compiled: &Compiled, position: RedLineIndex, red_line: &RedLine) -> bool {
        self.party.is_none_or(|party| red_line.party == party)
            && self.input.is_none_or(|input| compiled.deciding_inputs(position).contains(&input))
            && self.firmness_at_least.is_none_or(|least| red_line.firmness >= least)
            && self.held_on.is_none_or(|day| red_line.held.iter().any(|span| span.contains(day)))
            && (self.text.is_empty() || mentions(red_line, &self.text))
    }
}

/// Whether a red line's texts contain `text`, which is in lower case.
fn mentions(red_line: &RedLine, text: &str) -> bool {
    let holds = |haystack: &str| haystack.to_lowercase().contains(text);
    let says = |evidence: &Evidence| holds(&evidence.statement) || holds(&evidence.quote) || holds(&evidence.speaker);
    holds(red_line.id.as_str())
        || holds(&red_line.title)
        || red_line.evidence.iter().any(says)
        || red_line
            .waivers
            .iter()
            .any(|waiver| holds(waiver.id.as_str()) || holds(&waiver.title) || waiver.evidence.iter().any(says))
}

/// A field by which red lines can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OrderKey {
    Id,
    Party,
    Firmness,
}

impl OrderKey {
    /// Returns the text that stands for the key in the hash of a query. Page tokens contain this hash.
    ///
    /// A replica of another version must compute the same hash, so the text must not change with the variant's name.
    fn token_text(self) -> &'static str {
        match self {
            Self::Id => "Id",
            Self::Party => "Party",
            Self::Firmness => "Firmness",
        }
    }
}

/// Parses `order_by` (AIP-132). Returns the keys, each with true if its order is descending.
fn read_order(text: &str, violations: &mut Violations) -> Vec<(OrderKey, bool)> {
    const FIELD: &str = "order_by";
    let mut order: Vec<(OrderKey, bool)> = Vec::new();
    if text.len() > MAX_ORDER_BYTES {
        violations.over(
            "order_by",
            FIELD,
            format!("the text has {} bytes; the limit is {MAX_ORDER_BYTES}", text.len()),
        );
        return order;
    }
    if text.trim().is_empty() {
        return order;
    }
    for part in text.split(',') {
        let mut words = part.split_whitespace();
        let key = match words.next() {
            Some("id") => OrderKey::Id,
            Some("party") => OrderKey::Party,
            Some("firmness") => OrderKey::Firmness,
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
                violations.add(FIELD, format!("`{}`: only `asc` or `desc` may follow a field", quoted(part.trim())));
                continue;
            }
        };
        if order.iter().any(|(named, _)| *named == key) {
            violations.add(FIELD, format!("`{}` is already in the list", quoted(part.trim())));
        }
        order.push((key, falling));
    }
    order
}

fn compare(compiled: &Compiled, order: &[(OrderKey, bool)], a: &RedLine, b: &RedLine) -> Ordering {
    let party = |red_line: &RedLine| compiled.scenario().parties.get(red_line.party).map(|party| party.id.clone());
    order.iter().fold(Ordering::Equal, |so_far, (key, falling)| {
        let next = match key {
            OrderKey::Id => a.id.cmp(&b.id),
            OrderKey::Party => party(a).cmp(&party(b)),
            OrderKey::Firmness => a.firmness.cmp(&b.firmness),
        };
        so_far.then(if *falling { next.reverse() } else { next })
    })
}
