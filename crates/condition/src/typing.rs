//! Turns CEL's syntax tree into a typed [`Formula`]: resolves names, expands macros, rejects unsupported expressions.
//!
//! Must not know of prime implicants.

use super::budget::WorkBudget;
use super::comparison::Comparison;
use super::domain::{Domain, EntryIndex, InputIndex};
use super::fault::{ConditionError, ConditionErrorKind};
use super::formula::{Atom, Formula, Numbers};
use super::limits::{MAX_CONDITION_FAULTS, MAX_FORMULA_NODES};
use super::nearest::nearest_within;
use super::operand::{Constant, Operand, Text};
use super::parse::parse;
use super::vocabulary::{Name, Vocabulary};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};
use std::sync::Arc;

/// Steps of the work budget charged for a node: looking up names, comparing entries and building the formula.
const STEPS_OF_A_PART: u64 = 200;
/// Steps of the work budget charged for copying an element of a list.
const STEPS_OF_AN_ELEMENT: u64 = 10;

/// Reads a condition into a typed formula, within the default work budget.
///
/// # Errors
/// Returns all faults in the order of their positions, at most [`MAX_CONDITION_FAULTS`].
pub fn read(text: &str, vocabulary: &Vocabulary) -> Result<Formula, Vec<ConditionError>> {
    read_within(text, vocabulary, &mut WorkBudget::default())
}

/// Reads a condition within the rest of a shared budget.
///
/// # Errors
/// Returns the same faults as [`read`].
pub fn read_within(text: &str, vocabulary: &Vocabulary, work: &mut WorkBudget) -> Result<Formula, Vec<ConditionError>> {
    let (tree, source) = parse(text, work)?;
    let (bound, faults) = (Vec::new(), Vec::new());
    let mut reader = Reader { vocabulary, source, bound, faults, nodes: 0, stopped: false, work };
    let formula = reader.condition(&tree);
    let mut faults = reader.faults;
    faults.sort_by_key(|fault| fault.at);
    match formula {
        Some(formula) if faults.is_empty() => Ok(formula),
        _ => Err(faults),
    }
}

struct Reader<'a> {
    vocabulary: &'a Vocabulary,
    source: SourceInfo,
    bound: Vec<(String, Constant)>,
    faults: Vec<ConditionError>,
    nodes: usize,
    /// Whether a limit was exceeded and reported; reading then ends.
    stopped: bool,
    work: &'a mut WorkBudget,
}

impl<'a> Reader<'a> {
    fn fault<T>(&mut self, at: &IdedExpr, kind: ConditionErrorKind) -> Option<T> {
        let start = self.source.offset_for(at.id).map_or(0, |(start, _)| start as usize);
        let fault = ConditionError { at: start.min(self.source.source.len()), kind };
        // The body of a macro is read once per element, so that the same fault may be found several times.
        if self.faults.len() < MAX_CONDITION_FAULTS && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        None
    }

    /// Reports an exceeded limit once, and ends reading: from then on [`Self::operand`] returns `None`.
    fn stop<T>(&mut self, at: &IdedExpr, kind: ConditionErrorKind) -> Option<T> {
        if std::mem::replace(&mut self.stopped, true) { None } else { self.fault(at, kind) }
    }

    fn spend(&mut self, at: &IdedExpr, steps: u64) -> Option<()> {
        match self.work.spend(steps) {
            Ok(()) => Some(()),
            Err(cause) => self.stop(at, cause.into()),
        }
    }

    /// Returns the most similar known name. One bound applies to all searches of the condition together.
    fn nearest<'c>(&mut self, name: &str, known: impl Iterator<Item = &'c Arc<str>>) -> Option<String> {
        let is_reported = self.faults.len() < MAX_CONDITION_FAULTS;
        let found = is_reported.then(|| nearest_within(name, known.map(|id| &**id), self.work.pairs_left()));
        found.flatten().map(str::to_owned)
    }

    fn type_fault<T>(&mut self, at: &IdedExpr, message: impl Into<String>) -> Option<T> {
        self.fault(at, ConditionErrorKind::Type { message: message.into() })
    }

    fn unsupported<T>(&mut self, at: &IdedExpr, what: impl Into<String>) -> Option<T> {
        self.fault(at, ConditionErrorKind::Unsupported { what: what.into() })
    }

    fn condition(&mut self, expr: &IdedExpr) -> Option<Formula> {
        match self.operand(expr)? {
            Operand::Truth(formula) => Some(formula),
            other => self.type_fault(expr, format!("expected a condition, found {}", other.describe())),
        }
    }

    fn operand(&mut self, expr: &IdedExpr) -> Option<Operand<'a>> {
        if self.stopped {
            return None;
        }
        self.charge(expr, 1)?;
        match &expr.expr {
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::Ident(name) => self.name(expr, name),
            Expr::List(list) => {
                let elements: Vec<Option<Constant>> =
                    list.elements.iter().map(|element| self.constant(element)).collect();
                Some(Operand::List(elements.into_iter().collect::<Option<_>>()?))
            }
            Expr::Call(call) => self.call(expr, call),
            Expr::Select(select) => self.unsupported(expr, format!("the field `.{}`", select.field)),
            Expr::Map(_) | Expr::Struct(_) => self.unsupported(expr, "a map or message"),
            Expr::Comprehension(_) | Expr::Unspecified => self.unsupported(expr, "this expression"),
        }
    }

    fn literal(&mut self, expr: &IdedExpr, literal: &LiteralValue) -> Option<Operand<'a>> {
        match literal {
            LiteralValue::Boolean(truth) => Some(Operand::Truth(Formula::Constant(*truth.inner()))),
            LiteralValue::Int(number) => Some(Operand::Number(*number.inner())),
            LiteralValue::String(text) => {
                self.spend(expr, text.inner().len() as u64)?;
                Some(Operand::Text(Text { text: text.inner().into(), literal: true }))
            }
            LiteralValue::Double(_) => self.unsupported(expr, "a number with a fractional part"),
            LiteralValue::UInt(_) => self.unsupported(expr, "an unsigned integer"),
            LiteralValue::Bytes(_) => self.unsupported(expr, "a bytes literal"),
            LiteralValue::Null => self.unsupported(expr, "`null`"),
        }
    }

    fn constant(&mut self, expr: &IdedExpr) -> Option<Constant> {
        match self.operand(expr)? {
            Operand::Text(text) => Some(Constant::Text(text)),
            Operand::Number(number) => Some(Constant::Number(number)),
            other => {
                self.type_fault(expr, format!("a list may contain only strings and integers, not {}", other.describe()))
            }
        }
    }

    fn name(&mut self, expr: &IdedExpr, name: &str) -> Option<Operand<'a>> {
        if let Some((_, constant)) = self.bound.iter().rev().find(|(bound, _)| bound == name) {
            return Some(match constant.clone() {
                Constant::Text(text) => Operand::Text(text),
                Constant::Number(number) => Operand::Number(number),
            });
        }
        let vocabulary = self.vocabulary;
        match vocabulary.names.get_key_value(name) {
            Some((name, Name::Input(id, domain))) => Some(match domain {
                Domain::Flag => Operand::Truth(Formula::Atom(Atom::Options { input: *id, allowed: 0b10 })),
                Domain::Choice(_) => Operand::Choice(name, *id, domain),
                Domain::Members(_) => Operand::Members(name, *id, domain),
                Domain::Quantity { min, max } => Operand::Quantity(*id, *min, *max),
            }),
            Some((_, Name::Group(members))) => {
                self.spend(expr, STEPS_OF_AN_ELEMENT * members.len() as u64)?;
                Some(Operand::List(
                    members.iter().map(|text| Constant::Text(Text { text: text.clone(), literal: false })).collect(),
                ))
            }
            None => {
                let nearest = self.nearest(name, vocabulary.names.keys());
                self.fault(expr, ConditionErrorKind::UnknownName { name: name.to_owned(), nearest })
            }
        }
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Operand<'a>> {
        match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
            (operators::LOGICAL_NOT, None, [inner]) => Some(Operand::Truth(self.condition(inner)?.negated())),
            (operators::LOGICAL_AND, None, parts) => Some(Operand::Truth(Formula::All(self.conditions(parts)?))),
            (operators::LOGICAL_OR, None, parts) => Some(Operand::Truth(Formula::Any(self.conditions(parts)?))),
            (operators::CONDITIONAL, None, [test, then, otherwise]) => {
                let parts = [self.condition(test), self.condition(then), self.condition(otherwise)];
                let [Some(test), Some(then), Some(otherwise)] = parts else { return None };
                self.charge(expr, test.size())?;
                Some(Operand::Truth(Formula::Any(vec![
                    Formula::All(vec![test.clone(), then]),
                    Formula::All(vec![test.negated(), otherwise]),
                ])))
            }
            (operators::NEGATE, None, [inner]) => match self.operand(inner)? {
                Operand::Number(number) => match number.checked_neg() {
                    Some(number) => Some(Operand::Number(number)),
                    None => self.type_fault(expr, "this number is too large"),
                },
                other => self.type_fault(inner, format!("`-` applies to numbers, not to {}", other.describe())),
            },
            (operators::IN, None, [element, list]) => {
                let (element_operand, list_operand) = (self.operand(element), self.operand(list));
                self.membership(element, element_operand?, list_operand?).map(Operand::Truth)
            }
            ("size", None, [of]) | ("size", Some(of), []) => match self.operand(of)? {
                Operand::Members(_, id, domain) => Some(Operand::Size(id, domain.entries().len())),
                Operand::List(elements) => Some(Operand::Number(i64::try_from(elements.len()).unwrap_or(i64::MAX))),
                other => self.type_fault(
                    of,
                    format!("`size` applies to a set of members or a list, not to {}", other.describe()),
                ),
            },
            (operators::EXISTS | operators::ALL | operators::EXISTS_ONE, Some(range), [variable, body]) => {
                self.quantifier(&call.func_name, range, variable, body).map(Operand::Truth)
            }
            (operator, None, [left, right]) if Comparison::of(operator).is_some() => {
                let comparison = Comparison::of(operator)?;
                let (a, b) = (self.operand(left), self.operand(right));
                self.comparison(expr, comparison, (left, a?), (right, b?)).map(Operand::Truth)
            }
            (name, ..) => self.unsupported(expr, format!("`{}`", readable(name))),
        }
    }

    fn conditions(&mut self, parts: &[IdedExpr]) -> Option<Vec<Formula>> {
        let parts: Vec<Option<Formula>> = parts.iter().map(|part| self.condition(part)).collect();
        parts.into_iter().collect()
    }

    /// Builds the formula of `element in list`.
    fn membership(&mut self, at: &IdedExpr, element: Operand<'a>, list: Operand<'a>) -> Option<Formula> {
        match (element, list) {
            (Operand::Text(text), Operand::Members(name, id, domain)) => {
                Some(match self.entry(at, name, domain, &text)? {
                    Some(member) => Formula::Atom(Atom::Member { input: id, member }),
                    None => Formula::Constant(false),
                })
            }
            (Operand::Choice(name, id, domain), Operand::List(elements)) => {
                let mut allowed = 0;
                for element in elements {
                    match element {
                        Constant::Text(text) => {
                            if let Some(option) = self.entry(at, name, domain, &text)? {
                                allowed |= option.bit();
                            }
                        }
                        Constant::Number(_) => {
                            return self.type_fault(at, "a choice can be compared only with strings");
                        }
                    }
                }
                Some(Formula::Atom(Atom::Options { input: id, allowed }))
            }
            (Operand::Quantity(id, min, max), Operand::List(elements)) => {
                let mut numbers = Vec::new();
                for element in elements {
                    match element {
                        Constant::Number(number) if !(min..=max).contains(&number) => {
                            return self.fault(at, ConditionErrorKind::Decided { min, max, always: false });
                        }
                        Constant::Number(number) => numbers.push((number, number)),
                        Constant::Text(_) => {
                            return self.type_fault(at, "a quantity can be compared only with integers");
                        }
                    }
                }
                self.numbers(at, id, min, max, Numbers::new(numbers))
            }
            (Operand::Text(text), Operand::List(elements)) => {
                if text.literal {
                    return self.type_fault(
                        at,
                        "both sides are constants; one side must be an issue, a circumstance or a macro variable",
                    );
                }
                for element in &elements {
                    if let Constant::Text(other) = element {
                        self.known_text(at, other)?;
                    }
                }
                let found = |element: &Constant| matches!(element, Constant::Text(other) if other.text == text.text);
                Some(Formula::Constant(elements.iter().any(found)))
            }
            (Operand::Number(number), Operand::List(elements)) => Some(Formula::Constant(
                elements.iter().any(|element| matches!(element, Constant::Number(other) if *other == number)),
            )),
            (element, list) => {
                self.type_fault(at, format!("`in` cannot look up {} in {}", element.describe(), list.describe()))
            }
        }
    }

    /// Returns the position of an option or member of an input.
    ///
    /// Returns `Some(None)` for an element of a group if the input does not have this element. Reports any other
    /// unknown string as a fault, and returns `None`.
    fn entry(&mut self, at: &IdedExpr, input: &str, domain: &Domain, text: &Text) -> Option<Option<EntryIndex>> {
        match domain.entry(&text.text) {
            None if text.literal => {
                let what = if matches!(domain, Domain::Members(_)) { "member" } else { "option" };
                let nearest = self.nearest(&text.text, domain.entries().iter());
                let name = text.text.to_string();
                self.fault(at, ConditionErrorKind::UnknownEntry { input: input.to_owned(), what, name, nearest })
            }
            found => Some(found),
        }
    }

    /// Checks that a string written in the condition is an option or member of some input or group.
    fn known_text(&mut self, at: &IdedExpr, text: &Text) -> Option<()> {
        let vocabulary = self.vocabulary;
        if !text.literal || vocabulary.entries.contains(&text.text) {
            return Some(());
        }
        let nearest = self.nearest(&text.text, vocabulary.entries.iter());
        self.fault(at, ConditionErrorKind::UnknownText { name: text.text.to_string(), nearest })
    }

    /// Counts nodes that are added to the formula, and charges their steps to the work budget.
    fn charge(&mut self, at: &IdedExpr, parts: usize) -> Option<()> {
        self.nodes = self.nodes.saturating_add(parts);
        if self.nodes > MAX_FORMULA_NODES {
            return self.stop(at, ConditionErrorKind::TooLarge);
        }
        self.spend(at, STEPS_OF_A_PART * parts as u64)
    }

    fn numbers(&mut self, at: &IdedExpr, input: InputIndex, min: i64, max: i64, allowed: Numbers) -> Option<Formula> {
        let atom = Atom::Numbers { input, allowed };
        match atom.constant(&Domain::Quantity { min, max }) {
            Some(always) => self.fault(at, ConditionErrorKind::Decided { min, max, always }),
            None => Some(Formula::Atom(atom)),
        }
    }

    fn quantifier(&mut self, name: &str, range: &IdedExpr, variable: &IdedExpr, body: &IdedExpr) -> Option<Formula> {
        let Expr::Ident(variable) = &variable.expr else {
            return self.type_fault(variable, format!("the first argument of `{name}` must be a variable name"));
        };
        // Each element comes with the condition under which it is present: "the member is included" for a set of
        // members, and `None` for a list, whose elements are always present.
        let elements: Vec<(Option<Formula>, Constant)> = match self.operand(range)? {
            Operand::Members(_, input, domain) => (0..)
                .map(EntryIndex)
                .zip(domain.entries())
                .map(|(member, id)| {
                    let text = Text { text: id.clone(), literal: false };
                    (Some(Formula::Atom(Atom::Member { input, member })), Constant::Text(text))
                })
                .collect(),
            Operand::List(elements) => elements.into_iter().map(|element| (None, element)).collect(),
            other => {
                return self.type_fault(
                    range,
                    format!("`{name}` iterates over a set of members or a list, not over {}", other.describe()),
                );
            }
        };
        let mut parts = Vec::with_capacity(elements.len());
        for (present, element) in elements {
            self.bound.push((variable.clone(), element));
            let body = self.condition(body);
            self.bound.pop();
            parts.push(match (present, name) {
                (None, _) => body?,
                (Some(present), operators::ALL) => Formula::Any(vec![present.negated(), body?]),
                (Some(present), _) => Formula::All(vec![present, body?]),
            });
        }
        match name {
            operators::ALL => Some(Formula::All(parts)),
            operators::EXISTS => Some(Formula::Any(parts)),
            _ => self.exactly_one(range, parts),
        }
    }

    /// Builds the formula "exactly one of the parts holds".
    ///
    /// The size of the formula is quadratic in the number of parts, so its nodes are charged before they are built.
    fn exactly_one(&mut self, at: &IdedExpr, parts: Vec<Formula>) -> Option<Formula> {
        let all: usize = parts.iter().map(Formula::size).sum();
        self.charge(at, all.saturating_mul(parts.len()))?;
        let ways = (0..parts.len()).map(|chosen| {
            let signed = parts.iter().enumerate();
            Formula::All(
                signed.map(|(i, part)| if i == chosen { part.clone() } else { part.clone().negated() }).collect(),
            )
        });
        Some(Formula::Any(ways.collect()))
    }

    fn comparison(
        &mut self,
        at: &IdedExpr,
        comparison: Comparison,
        (left_at, left): (&IdedExpr, Operand<'a>),
        (right_at, right): (&IdedExpr, Operand<'a>),
    ) -> Option<Formula> {
        let equality = matches!(comparison, Comparison::Equal | Comparison::Different);
        let signed = |formula: Formula| if comparison == Comparison::Different { formula.negated() } else { formula };
        match (left, right) {
            (Operand::Number(a), Operand::Number(b)) => Some(Formula::Constant(comparison.numbers(b).contains(a))),
            (Operand::Quantity(id, min, max), Operand::Number(number)) => {
                self.numbers(at, id, min, max, comparison.numbers(number))
            }
            (Operand::Number(number), Operand::Quantity(id, min, max)) => {
                self.numbers(at, id, min, max, comparison.mirrored().numbers(number))
            }
            (Operand::Size(id, members), Operand::Number(number)) => {
                self.counts(at, id, members, &comparison.numbers(number))
            }
            (Operand::Number(number), Operand::Size(id, members)) => {
                self.counts(at, id, members, &comparison.mirrored().numbers(number))
            }
            (Operand::Text(a), Operand::Text(b)) if equality => {
                if a.literal && b.literal {
                    return self.type_fault(
                        at,
                        "both sides are strings; one side must be an issue, a circumstance or a macro variable",
                    );
                }
                self.known_text(left_at, &a)?;
                self.known_text(right_at, &b)?;
                Some(signed(Formula::Constant(a.text == b.text)))
            }
            (Operand::Choice(name, id, domain), Operand::Text(text)) if equality => {
                self.option(right_at, name, id, domain, &text).map(signed)
            }
            (Operand::Text(text), Operand::Choice(name, id, domain)) if equality => {
                self.option(left_at, name, id, domain, &text).map(signed)
            }
            (Operand::Truth(Formula::Constant(truth)), Operand::Truth(other))
            | (Operand::Truth(other), Operand::Truth(Formula::Constant(truth)))
                if equality =>
            {
                Some(signed(if truth { other } else { other.negated() }))
            }
            (Operand::Members(name, ..), _) | (_, Operand::Members(name, ..)) => self.type_fault(
                at,
                format!(
                    "a set of members cannot be compared; test a member with `in {name}`, or count with `size({name})`"
                ),
            ),
            (left, right) => self.type_fault(
                at,
                format!(
                    "{} cannot be compared with {} by `{}`; one side must be a literal of the other side's type",
                    left.describe(),
                    right.describe(),
                    comparison.symbol()
                ),
            ),
        }
    }

    fn option(&mut self, at: &IdedExpr, name: &str, id: InputIndex, domain: &Domain, text: &Text) -> Option<Formula> {
        let allowed = self.entry(at, name, domain, text)?.map_or(0, EntryIndex::bit);
        Some(Formula::Atom(Atom::Options { input: id, allowed }))
    }

    /// Builds the test "the number of included members is one of `numbers`".
    fn counts(&mut self, at: &IdedExpr, input: InputIndex, members: usize, numbers: &Numbers) -> Option<Formula> {
        let max = i64::try_from(members).unwrap_or(i64::MAX);
        let allowed = (0..=max).filter(|count| numbers.contains(*count)).fold(0u128, |mask, count| mask | 1 << count);
        match allowed {
            0 => self.fault(at, ConditionErrorKind::Decided { min: 0, max, always: false }),
            _ if allowed.count_ones() as usize == members + 1 => {
                self.fault(at, ConditionErrorKind::Decided { min: 0, max, always: true })
            }
            _ => Some(Formula::Atom(Atom::Count { input, allowed })),
        }
    }
}

/// Returns an operator as it is written in a condition: `+` for CEL's internal name `_+_`.
fn readable(name: &str) -> &str {
    let trimmed = name.trim_matches('_');
    if trimmed.is_empty() { name } else { trimmed }
}
