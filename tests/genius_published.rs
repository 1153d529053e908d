//! Four published domains of GENIUS, imported and enumerated: their deals, efficient points and Nash points are known.

use detente::import::genius::{self, Convention, XmlFile};
use detente::scenario::model::Ranking;
use std::fs;
use std::path::Path;

/// Both parties' utilities of a deal.
type Point = [f64; 2];

struct Known {
    folder: &'static str,
    /// The domain, then the profiles.
    files: [&'static str; 3],
    deals: usize,
    /// How many points are Pareto-efficient, as published and normalized.
    efficient: [usize; 2],
    /// The Nash point of the utilities as published.
    nash: Point,
    digits: usize,
}

const KNOWN: [Known; 4] = [
    Known {
        folder: "Laptop",
        files: ["laptop_domain.xml", "laptop_buyer_utility.xml", "laptop_seller_utility.xml"],
        deals: 27,
        efficient: [4, 0],
        nash: [25.549, 16.213],
        digits: 3,
    },
    Known {
        folder: "EnglandZimbabwe",
        files: ["EnglandZimbabwe_domain.xml", "England.xml", "Zimbabwe.xml"],
        deals: 576,
        efficient: [23, 25],
        nash: [8.207494, 8.544397],
        digits: 6,
    },
    Known {
        folder: "Car",
        files: ["adg.xml", "adg_deal.xml", "adg_deal2.xml"],
        deals: 15_625,
        efficient: [55, 0],
        nash: [94.03, 92.96],
        digits: 2,
    },
    Known {
        folder: "Travel",
        files: ["travel_domain.xml", "travel_chox.xml", "travel_fanny.xml"],
        deals: 188_160,
        efficient: [21, 12],
        nash: [337.914, 287.989],
        digits: 3,
    },
];

/// The utilities of every deal, and what the parties get without one: their reservation value, or their least utility
/// if that is more.
fn points(files: &[(String, String); 3], convention: Convention) -> (Vec<Point>, Point) {
    let [domain, profiles @ ..] = files.each_ref().map(|(path, text)| XmlFile { path, text });
    let options = genius::Options { id: None, date: "2010-01-01".parse().unwrap(), convention };
    let yaml = genius::import(domain, &profiles, &options).unwrap_or_else(|error| panic!("{error}"));
    let scenario = detente::scenario::load("imported.yaml", &yaml).unwrap_or_else(|faults| panic!("{faults}"));
    let mut points = vec![[0.0, 0.0]];
    for issue in 0..scenario.issues().len() {
        let [one, other] = [0, 1].map(|party| {
            let of_both = |preference: &&detente::scenario::model::Preference| {
                preference.party == party && preference.issue.index() == issue
            };
            match &scenario.preferences.iter().find(of_both).unwrap().ranking {
                Ranking::Cardinal(values) => values.iter().map(|(_, number)| *number).collect::<Vec<f64>>(),
                Ranking::Ordinal(_) => panic!("an order"),
            }
        });
        let options: Vec<Point> = one.into_iter().zip(other).map(|(one, other)| [one, other]).collect();
        points = points
            .iter()
            .flat_map(|point| options.iter().map(move |option| [point[0] + option[0], point[1] + option[1]]))
            .collect();
    }
    let disagreement = [0, 1].map(|party| {
        let least = points.iter().map(|point| point[party]).fold(f64::INFINITY, f64::min);
        scenario.parties[party].reservation_value.map_or(least, |reservation| least.max(reservation))
    });
    (points, disagreement)
}

/// The points that no other one betters for one party without loss to the other. Points nearer to each other than sums
/// of doubles can tell are one.
fn efficient(points: &[Point]) -> Vec<Point> {
    const SAME: f64 = 1e-9;
    let mut sorted = points.to_vec();
    // What is a party's best first; of equals, the other's best.
    sorted.sort_by(|one, other| other[0].total_cmp(&one[0]).then(other[1].total_cmp(&one[1])));
    let mut efficient: Vec<Point> = Vec::new();
    for point in sorted {
        match efficient.last_mut() {
            Some(last) if point[1] <= last[1] + SAME => {}
            // Equal but for rounding, and better for the other.
            Some(last) if point[0] >= last[0] - SAME => *last = point,
            _ => efficient.push(point),
        }
    }
    efficient
}

#[test]
fn deals_efficient_points_and_nash_points_are_those_that_are_known() {
    // Not ours to hand on: beside the project where the data is worked on, not in a plain clone.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/genius");
    if !folder.is_dir() {
        eprintln!("the published domains are not here: nothing is compared");
        return;
    }
    for Known { folder: name, files, deals, efficient: known, nash, digits } in KNOWN {
        let files = files.map(|file| {
            let path = folder.join(name).join(file);
            (path.display().to_string(), fs::read_to_string(&path).unwrap())
        });
        let (all, disagreement) = points(&files, Convention::AsPublished);
        assert_eq!(all.len(), deals, "{name}");
        let found = efficient(&all);
        assert_eq!(found.len(), known[0], "{name}: {found:?}");
        let gain = |point: &Point| (point[0] - disagreement[0]) * (point[1] - disagreement[1]);
        let best = found.iter().max_by(|one, other| gain(one).total_cmp(&gain(other))).unwrap();
        let written = best.map(|utility| format!("{utility:.digits$}"));
        assert_eq!(written, nash.map(|utility| format!("{utility:.digits$}")), "{name}");

        let (all, _) = points(&files, Convention::Normalized);
        assert!(all.iter().flatten().all(|utility| (0.0..=1.0 + 1e-3).contains(utility)), "{name}");
        if known[1] > 0 {
            assert_eq!(efficient(&all).len(), known[1], "{name}, normalized");
        }
    }
}
