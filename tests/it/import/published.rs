//! Four published negotiation domains of GENIUS, another program, are imported. Enumeration and FindPackages then find
//! the same efficient points and the same Nash point, and as many deals and efficient points as the publications state.
//!
//! A point consists of both parties' utilities of a deal. The Nash point has the greatest product of the parties' gains
//! over the utilities without a deal.

use detente::schema::proto::v1;
use detente::schema::proto::v1::find_packages_response::Part;
use detente::services::RedLines;
use detente::serving::Store;
use detente_analysis::Budget;
use detente_core::engine::Compiled;
use detente_core::scenario::Scenario;
use detente_core::scenario::model::{Preference, Ranking};
use detente_import::genius;
use detente_import::genius::{Convention, XmlFile};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Both parties' utilities of a deal, in units of 10^-PLACES. As integers, they are added without rounding.
type Point = [i128; 2];
const PLACES: usize = 24;

struct PublishedDomain {
    folder: &'static str,
    /// The names of the files: first the domain, then the two profiles.
    files: [&'static str; 3],
    deals: usize,
    /// The numbers of Pareto-efficient points: first for the utilities as published, then for the normalized ones.
    efficient: [usize; 2],
    /// The Nash point for the utilities as published.
    nash: [&'static str; 2],
}

const PUBLISHED: [PublishedDomain; 4] = [
    PublishedDomain {
        folder: "Laptop",
        files: ["laptop_domain.xml", "laptop_buyer_utility.xml", "laptop_seller_utility.xml"],
        deals: 27,
        efficient: [4, 4],
        nash: ["25.549", "16.213"],
    },
    PublishedDomain {
        folder: "EnglandZimbabwe",
        files: ["EnglandZimbabwe_domain.xml", "England.xml", "Zimbabwe.xml"],
        deals: 576,
        efficient: [23, 25],
        nash: ["8.207494", "8.544397"],
    },
    // In the files as published, 53 points are efficient. Sums in doubles would give 55, two of them only by rounding.
    PublishedDomain {
        folder: "Car",
        files: ["adg.xml", "adg_deal.xml", "adg_deal2.xml"],
        deals: 15_625,
        efficient: [53, 53],
        nash: ["94.03", "92.96"],
    },
    PublishedDomain {
        folder: "Travel",
        files: ["travel_domain.xml", "travel_chox.xml", "travel_fanny.xml"],
        deals: 188_160,
        efficient: [21, 12],
        nash: ["337.914", "287.989"],
    },
];

/// A number in units of 10^-PLACES. Its value is that of the shortest decimal that parses to the same double.
fn exactly(number: f64) -> i128 {
    let text = number.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole}{fraction:0<PLACES$}").parse().unwrap()
}

fn imported(files: &[(String, String); 3], convention: Convention) -> Scenario {
    let [domain, profiles @ ..] = files.each_ref().map(|(path, text)| XmlFile { path, text });
    let options = genius::Options { id: None, date: "2010-01-01".parse().unwrap(), convention };
    let yaml = genius::import(domain, &profiles, &options).unwrap_or_else(|error| panic!("{error}"));
    detente_core::scenario::load("imported.yaml", &yaml).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The utilities of every deal, and the utilities without a deal. The latter are each party's reservation value or, if
/// that is greater, its least utility.
fn points(scenario: &Scenario) -> (Vec<Point>, Point) {
    let mut points = vec![[0, 0]];
    for issue in 0..scenario.issues().len() {
        let [one, other] = [0, 1].map(|party| {
            let of_both = |item: &&Preference| item.party.index() == party && item.issue.index() == issue;
            match &scenario.preferences.iter().find(of_both).unwrap().ranking {
                Ranking::Cardinal(values) => values.iter().map(|(_, number)| exactly(*number)).collect::<Vec<i128>>(),
                Ranking::Ordinal(_) => panic!("an order"),
            }
        });
        let options: Vec<Point> = one.into_iter().zip(other).map(|(one, other)| [one, other]).collect();
        let with = |point: &Point| {
            let [one, other] = *point;
            options.iter().map(move |option| [one + option[0], other + option[1]])
        };
        points = points.iter().flat_map(with).collect();
    }
    let disagreement = [0, 1].map(|party| {
        let least = points.iter().map(|point| point[party]).min().unwrap();
        scenario.parties[party].reservation_value.map_or(least, |reservation| least.max(exactly(reservation)))
    });
    (points, disagreement)
}

/// The distinct efficient points: no other point is better for one party without being worse for the other.
fn efficient(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_unstable_by(|one, other| other.cmp(one));
    let mut efficient: Vec<Point> = Vec::new();
    for point in points {
        if efficient.last().is_none_or(|last| point[1] > last[1]) {
            efficient.push(point);
        }
    }
    efficient
}

/// A point as an answer contains it: the double that is nearest to each utility.
fn as_answered(point: &Point) -> [f64; 2] {
    point.map(|utility| format!("{utility}e-{PLACES}").parse().unwrap())
}

/// The answer of FindPackages: the numbers of packages and of efficient points, the efficient points, and the Nash
/// point.
fn search(scenario: Scenario, disagreement: Point) -> ((String, String), Vec<[f64; 2]>, [f64; 2]) {
    let disagreement = as_answered(&disagreement);
    let utilities =
        (0..2).map(|at| v1::PartyUtility { party: scenario.parties[at].id.to_string(), utility: disagreement[at] });
    let request = v1::FindPackagesRequest {
        max_packages: Some(0),
        efficient: true,
        disagreement: Some(v1::DisagreementPoint { utilities: utilities.collect() }),
        ..Default::default()
    };
    let compiled = Compiled::new(Arc::new(scenario)).unwrap();
    let service = RedLines::new(Arc::new(Store::new(vec![compiled]).unwrap()));
    let parts = service.analyse(&request, &Budget::unhurried()).unwrap().decode().unwrap();
    let point = |efficient: &v1::EfficientPackage| {
        assert_eq!(efficient.utilities.len(), 2);
        [0, 1].map(|at| efficient.utilities[at].utility)
    };
    let mut points = Vec::new();
    for part in parts {
        match part.part.unwrap() {
            Part::EfficientPackage(efficient) => points.push(point(&efficient)),
            Part::Summary(summary) => {
                assert!(summary.complete);
                let nash = &summary.bargaining.unwrap().nash;
                assert_eq!(nash.len(), 1);
                return ((summary.packages, summary.efficient_points), points, point(&nash[0]));
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("no summary");
}

/// A utility rounded to as many decimal places as the published number `like` has.
fn rounded(utility: i128, like: &str) -> String {
    let digits = like.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let [number, _] = as_answered(&[utility, 0]);
    format!("{number:.digits$}")
}

#[test]
fn deals_efficient_points_and_nash_points_match_the_published_ones() {
    // The project may not redistribute these files. In a plain clone, which does not have them, this test compares
    // nothing.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/genius");
    if !folder.is_dir() {
        eprintln!("the published domains are not here: nothing is compared");
        return;
    }
    for PublishedDomain { folder: name, files, deals, efficient: known, nash } in PUBLISHED {
        let files = files.map(|file| {
            let path = folder.join(name).join(file);
            (path.display().to_string(), fs::read_to_string(&path).unwrap())
        });
        let published = imported(&files, Convention::AsPublished);
        let (all, disagreement) = points(&published);
        assert_eq!(all.len(), deals, "{name}");
        let found = efficient(all);
        assert_eq!(found.len(), known[0], "{name}");
        // The product of both gains. Doubles are precise enough to find the greatest.
        let gain = |point: &Point| (point[0] - disagreement[0]) as f64 * (point[1] - disagreement[1]) as f64;
        let best = found.iter().max_by(|one, other| gain(one).total_cmp(&gain(other))).unwrap();
        assert_eq!([0, 1].map(|party| rounded(best[party], nash[party])), nash, "{name}");
        let answer = search(published, disagreement);
        assert_eq!(answer.0, (deals.to_string(), known[0].to_string()), "{name}");
        assert_eq!(
            answer.1,
            found.iter().map(as_answered).collect::<Vec<_>>(),
            "{name}: the efficient points, by descending utilities"
        );
        assert_eq!(answer.2, as_answered(best), "{name}: the Nash point");
        let normalized = imported(&files, Convention::Normalized);
        let (all, disagreement) = points(&normalized);
        let found = efficient(all);
        assert_eq!(found.len(), known[1], "{name}, normalized");
        let answer = search(normalized, disagreement);
        assert_eq!(answer.0.1, known[1].to_string(), "{name}, normalized");
        assert_eq!(answer.1, found.iter().map(as_answered).collect::<Vec<_>>(), "{name}, normalized");
    }
}
