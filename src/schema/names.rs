//! Resource names: `scenarios/{scenario}`, `scenarios/{scenario}/redLines/{red_line}` and
//! `scenarios/{scenario}/proposals/{proposal}`.

/// The name of a scenario.
pub fn scenario(id: &str) -> String {
    ["scenarios/", id].concat()
}

/// The name of a red line.
pub fn red_line(scenario: &str, id: &str) -> String {
    ["scenarios/", scenario, "/redLines/", id].concat()
}

/// The name of a reference proposal.
pub fn proposal(scenario: &str, id: &str) -> String {
    ["scenarios/", scenario, "/proposals/", id].concat()
}

/// The id in a scenario's name.
pub fn parse_scenario(name: &str) -> Option<&str> {
    name.strip_prefix("scenarios/").filter(|id| is_segment(id))
}

/// The ids of the scenario and of the red line in a red line's name.
pub fn parse_red_line(name: &str) -> Option<(&str, &str)> {
    parse_child(name, "/redLines/")
}

/// The ids of the scenario and of the proposal in a proposal's name.
pub fn parse_proposal(name: &str) -> Option<(&str, &str)> {
    parse_child(name, "/proposals/")
}

fn parse_child<'a>(name: &'a str, collection: &str) -> Option<(&'a str, &'a str)> {
    let (scenario, child) = name.strip_prefix("scenarios/")?.split_once(collection)?;
    (is_segment(scenario) && is_segment(child)).then_some((scenario, child))
}

fn is_segment(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}
