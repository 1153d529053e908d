//! Each quote that the bundled scenario attributes to its main source, a news article, occurs in it letter for letter.

use detente::serving::source;
use std::path::Path;

/// Replaces curly quotation marks by straight ones, and each run of white space by one space.
fn plain(text: &str) -> String {
    let straight = text.replace(['\u{2018}', '\u{2019}'], "'").replace(['\u{201c}', '\u{201d}'], "\"");
    straight.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn quotes_from_the_article_occur_in_it() {
    // The project may not redistribute the article. In a plain clone, which lacks it, this test compares nothing.
    let article = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/record/article.txt");
    let Ok(article) = std::fs::read_to_string(article) else {
        eprintln!("the article is not here: its quotes are not compared");
        return;
    };
    let article = plain(&article);
    let loaded = source::load(&[]).unwrap();
    let scenario = loaded[0].scenario();
    let of_lines = scenario
        .red_lines
        .iter()
        .flat_map(|line| line.evidence.iter().chain(line.waivers.iter().flat_map(|waiver| &waiver.evidence)));
    let evidence = of_lines
        .chain(scenario.cautions.iter().flat_map(|caution| &caution.evidence))
        .chain(scenario.preferences.iter().flat_map(|preference| &preference.evidence))
        .chain(scenario.inputs.iter().flat_map(|input| &input.evidence));
    let mut compared = 0;
    for piece in evidence.filter(|piece| scenario.sources[piece.source.index()].id.as_str() == "bbc-news-russian") {
        if !piece.quote.is_empty() {
            compared += 1;
            assert!(article.contains(&plain(&piece.quote)), "{}: {}", piece.row, piece.quote);
        }
    }
    assert!(compared >= 30, "only {compared} quotes were compared");
}
