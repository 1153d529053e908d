//! Turns with a clock of the tests' own, and a comparison with a simpler model.

use super::*;
use proptest::prelude::*;

const ONE: TurnKey = TurnKey(1);
const TWO: TurnKey = TurnKey(2);
const LIMITS: TurnLimits = TurnLimits { running: 1, waiting: 8, parked: 2 };

/// Turns and a clock, in milliseconds.
struct Bench {
    turns: Turns<&'static str>,
    begun: Instant,
    now: u64,
    numbers: HashMap<&'static str, u64>,
}

impl Bench {
    fn new(limits: TurnLimits) -> Self {
        Self { turns: Turns::new(limits), begun: Instant::now(), now: 0, numbers: HashMap::new() }
    }

    fn clock(&self) -> Instant {
        self.begun + Duration::from_millis(self.now)
    }

    fn name(&self, started: Option<Started<&'static str>>) -> Option<&'static str> {
        match started? {
            Started::Begun(_, name) => Some(name),
            Started::Resumed(number) => self.numbers.iter().find(|(_, of)| **of == number).map(|(name, _)| *name),
        }
    }

    /// Adds a job, and starts it if a slot is free.
    fn add(&mut self, key: TurnKey, name: &'static str) {
        let number = self.turns.add(key, Admission::Bounded, name, self.clock()).unwrap();
        self.numbers.insert(name, number);
    }

    fn start(&mut self) -> Option<&'static str> {
        let started = self.turns.start(self.clock());
        self.name(started)
    }

    /// Lets a job run for some milliseconds with a check after each. Returns the job that it gave way to, if any, and
    /// after how long.
    fn run(&mut self, name: &str, milliseconds: u64) -> Option<(&'static str, u64)> {
        let number = self.numbers[name];
        assert!(self.turns.runs(number), "{name}");
        for ran in 0..=milliseconds {
            if self.must(number) {
                let next = self.turns.give_way(number, self.clock());
                return Some((self.name(next).unwrap(), ran));
            }
            self.now += u64::from(ran < milliseconds);
        }
        None
    }

    fn must(&mut self, number: u64) -> bool {
        let now = self.clock();
        self.turns.must_give_way(number, now)
    }

    /// Ends a job, and starts the next.
    fn end(&mut self, name: &str) -> Option<&'static str> {
        self.turns.remove(self.numbers[name], self.clock());
        self.start()
    }
}

#[test]
fn the_jobs_of_one_caller_run_in_order_and_never_give_way_to_each_other() {
    let mut bench = Bench::new(LIMITS);
    for name in ["a", "b", "c"] {
        bench.add(ONE, name);
    }
    assert_eq!(bench.start(), Some("a"));
    assert_eq!(bench.start(), None);
    assert_eq!(bench.run("a", 10_000), None);
    assert_eq!(bench.end("a"), Some("b"));
    assert_eq!(bench.end("b"), Some("c"));
    assert_eq!(bench.end("c"), None);
}

#[test]
fn a_long_job_gives_way_once_it_has_run_for_a_turn_and_goes_on_before_later_jobs_of_its_caller() {
    let mut bench = Bench::new(LIMITS);
    bench.add(ONE, "long");
    bench.add(ONE, "later");
    assert_eq!(bench.start(), Some("long"));
    bench.add(TWO, "short");
    assert_eq!(bench.run("long", 1_000), Some(("short", 250)));
    assert_eq!((bench.turns.running(), bench.turns.parked(), bench.turns.waiting()), (1, 1, 1));
    assert_eq!(bench.run("short", 10), None);
    assert_eq!(bench.end("short"), Some("long"));
    assert_eq!(bench.run("long", 30_000), None);
    assert_eq!(bench.end("long"), Some("later"));
}

#[test]
fn many_short_jobs_run_at_once_and_each_waits_little_if_asked_one_after_another() {
    let mut bench = Bench::new(LIMITS);
    bench.add(ONE, "long");
    assert_eq!(bench.start(), Some("long"));
    bench.run("long", 20_000);
    // Asked one after another: the first gets the slot at once, and each other when the long job has run as long.
    for (name, waits) in [("s1", 0), ("s2", 10), ("s3", 10), ("s4", 10)] {
        bench.add(TWO, name);
        assert_eq!(bench.run("long", 1_000), Some((name, waits)));
        assert_eq!(bench.run(name, 10), None);
        assert_eq!(bench.end(name), Some("long"));
    }
    // Asked at once: they run without a pause.
    for name in ["t1", "t2", "t3", "t4"] {
        bench.add(TWO, name);
    }
    assert_eq!(bench.run("long", 1_000), Some(("t1", 10)));
    for [name, next] in [["t1", "t2"], ["t2", "t3"], ["t3", "t4"], ["t4", "long"]] {
        assert_eq!(bench.run(name, 10), None);
        assert_eq!(bench.end(name), Some(next));
    }
}

#[test]
fn long_jobs_of_two_callers_share_the_time() {
    let mut bench = Bench::new(LIMITS);
    bench.add(ONE, "a");
    bench.add(TWO, "b");
    let mut running = bench.start().unwrap();
    let mut ran = HashMap::from([("a", 0), ("b", 0)]);
    for _ in 0..21 {
        let (next, after) = bench.run(running, 10_000).unwrap();
        assert!(after <= 500, "{after}");
        *ran.get_mut(running).unwrap() += after;
        running = next;
    }
    assert!(ran["a"].abs_diff(ran["b"]) <= 500, "{ran:?}");
}

#[test]
fn one_caller_may_have_half_of_the_queue() {
    let mut bench = Bench::new(LIMITS);
    for name in ["running", "1", "2", "3", "4"] {
        bench.add(ONE, name);
    }
    let now = bench.clock();
    assert_eq!(bench.turns.add(ONE, Admission::Bounded, "5", now), Err(NoPlaceError));
    for name in ["5", "6", "7", "8"] {
        bench.add(TWO, name);
    }
    assert_eq!(bench.turns.add(TurnKey(3), Admission::Bounded, "9", now), Err(NoPlaceError));
    // The jobs that always wait neither need a place nor take one.
    bench.turns.add(ONE, Admission::InTurn, "in turn", now).unwrap();
    assert_eq!(bench.start(), Some("running"));
    assert_eq!(bench.turns.add(TurnKey(3), Admission::Bounded, "9", now), Err(NoPlaceError));
    let number = bench.numbers["5"];
    assert_eq!(bench.turns.withdraw(number), Some("5"));
    bench.add(TurnKey(3), "9");
}

#[test]
fn while_the_maximum_is_parked_jobs_give_way_only_to_parked_ones() {
    let mut bench = Bench::new(LIMITS);
    for (key, name) in [(1, "a"), (2, "b"), (3, "c")] {
        bench.add(TurnKey(key), name);
    }
    assert_eq!(bench.start(), Some("a"));
    assert_eq!(bench.run("a", 1_000), Some(("b", 250)));
    assert_eq!(bench.run("b", 1_000), Some(("c", 250)));
    bench.add(TurnKey(4), "d");
    // "d" has waited for less than a second, and must wait although its caller has used least.
    assert_eq!(bench.run("c", 1_000), Some(("a", 500)));
    assert_eq!(bench.turns.parked(), 2);
    // When one job ends, it is the turn of "d".
    assert_eq!(bench.end("a"), Some("d"));
}

#[test]
fn a_job_that_is_shut_out_for_a_second_displaces_the_job_that_has_run_longest() {
    let mut bench = Bench::new(LIMITS);
    for (key, name) in [(1, "a"), (2, "b"), (3, "c")] {
        bench.add(TurnKey(key), name);
    }
    let mut running = bench.start().unwrap();
    for _ in 0..10 {
        running = bench.run(running, 1_000).unwrap().0;
    }
    bench.add(TurnKey(4), "d");
    let since = bench.now;
    let displaced = loop {
        assert!(bench.now - since <= 1_250, "{}", bench.now - since);
        let gave_way = bench.run(running, 50);
        running = gave_way.map_or(running, |(next, _)| next);
        if let Some(name) = ["a", "b", "c"].into_iter().find(|name| bench.turns.is_displaced(bench.numbers[name])) {
            break name;
        }
    };
    assert!(bench.now - since >= 1_000);
    let work = |bench: &Bench, name: &str| {
        bench.turns.begun.iter().find(|job| job.number == bench.numbers[name]).map(|job| job.work)
    };
    assert!(["a", "b", "c"].iter().all(|name| work(&bench, name) <= work(&bench, displaced)));
    // Only one is displaced at a time. Whether it is parked or runs, "d" begins next.
    bench.add(TurnKey(5), "e");
    bench.turns.remove(bench.numbers[displaced], bench.clock());
    if displaced == running {
        assert_eq!(bench.start(), Some("d"));
    } else {
        assert_eq!(bench.run(running, 1_000).map(|(next, _)| next), Some("d"));
    }
}

#[test]
fn a_shared_job_uses_the_turns_of_the_caller_that_has_used_least() {
    let mut bench = Bench::new(LIMITS);
    for name in ["running", "other", "wanted"] {
        bench.add(ONE, name);
    }
    assert_eq!(bench.start(), Some("running"));
    bench.run("running", 1_000);
    // A waiting job moves to the caller that joins it.
    bench.turns.share(bench.numbers["wanted"], TWO, bench.clock());
    assert_eq!(bench.run("running", 1_000), Some(("wanted", 0)));
    // A caller that has used more does not take it back.
    bench.turns.share(bench.numbers["wanted"], ONE, bench.clock());
    assert_eq!(bench.run("wanted", 100), None);
    // A parked job moves, too.
    bench.turns.share(bench.numbers["running"], TurnKey(3), bench.clock());
    bench.turns.remove(bench.numbers["wanted"], bench.clock());
    assert_eq!(bench.start(), Some("running"));
    assert_eq!(bench.turns.callers[&ONE].begun, 0);
    assert_eq!(bench.end("running"), Some("other"));
}

#[test]
fn a_caller_that_arrives_later_does_not_overtake_earlier_ones() {
    let mut bench = Bench::new(TurnLimits { waiting: 20, ..LIMITS });
    bench.add(ONE, "long");
    assert_eq!(bench.start(), Some("long"));
    bench.run("long", 10_000);
    let names = ["a", "b", "c", "d", "e"];
    for (key, name) in (10..).zip(names) {
        bench.add(TurnKey(key), name);
    }
    assert_eq!(bench.run("long", 0), Some(("a", 0)));
    for pair in names.windows(2) {
        assert_eq!(bench.end(pair[0]), Some(pair[1]));
    }
    assert_eq!(bench.end("e"), Some("long"));
}

#[test]
fn callers_without_jobs_are_forgotten() {
    let mut bench = Bench::new(LIMITS);
    bench.add(ONE, "long");
    assert_eq!(bench.start(), Some("long"));
    bench.run("long", 10_000);
    for key in 0..10 * MAX_ABSENT as u64 {
        bench.add(TurnKey(100 + key), "short");
        bench.turns.remove(bench.numbers["short"], bench.clock());
        assert!(bench.turns.callers.len() <= 2, "a caller that has used nothing is as good as new");
        let number = bench.turns.add(TurnKey(100 + key), Admission::Bounded, "short", bench.clock()).unwrap();
        bench.numbers.insert("short", number);
        bench.turns.give_way(bench.numbers["long"], bench.clock());
        bench.turns.remove(number, bench.clock());
        bench.start();
    }
    // Callers that have used a little are remembered, but not without bound.
    let before = bench.turns.callers[&ONE].used;
    for key in 0..10 * MAX_ABSENT as u64 {
        let CallerTurns { used, .. } = bench.turns.arrived(TurnKey(100_000 + key), bench.begun);
        *used = before;
    }
    assert!(bench.turns.callers.len() <= MAX_ABSENT + 2, "{}", bench.turns.callers.len());
}

/// What happens next: for each action a choice of a caller or of a job, and the time that passes before it.
#[derive(Clone, Debug)]
enum Event {
    Add(u64, bool),
    Start,
    Check(usize),
    Remove(usize),
    Share(usize, u64),
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let event = prop_oneof![
        3 => (0..6u64, any::<bool>()).prop_map(|(key, bounded)| Event::Add(key, bounded)),
        3 => Just(Event::Start),
        6 => any::<usize>().prop_map(Event::Check),
        2 => any::<usize>().prop_map(Event::Remove),
        1 => (any::<usize>(), 0..6u64).prop_map(|(job, key)| Event::Share(job, key)),
    ];
    prop::collection::vec((0..200u64, event), 1..120)
}

/// One job of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Job {
    number: u64,
    key: u64,
    bounded: bool,
    state: JobState,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum JobState {
    Waiting,
    Running,
    Parked,
}

/// The model: one list of jobs in order of arrival, and what each caller has used. Displacement is not modelled.
struct Model {
    limits: TurnLimits,
    jobs: Vec<Job>,
    used: HashMap<u64, u64>,
    reached: u64,
}

impl Model {
    fn count(&self, state: JobState) -> usize {
        self.jobs.iter().filter(|job| job.state == state).count()
    }

    fn pass(&mut self, milliseconds: u64) {
        for job in self.jobs.iter().filter(|job| job.state == JobState::Running) {
            *self.used.get_mut(&job.key).unwrap() += milliseconds;
        }
    }

    fn arrive(&mut self, key: u64) {
        let present = |key: u64| self.jobs.iter().any(|job| job.key == key);
        let least = self.used.iter().filter(|(key, _)| present(**key)).map(|(_, used)| *used).min();
        if least.is_none() {
            self.used.clear();
        }
        self.reached = self.reached.max(least.unwrap_or(0));
        let start = self.reached.saturating_sub(250);
        let used = self.used.entry(key).or_default();
        if !self.jobs.iter().any(|job| job.key == key) {
            *used = (*used).max(start);
        }
    }

    fn may_add(&self, key: u64) -> bool {
        let waiting = |of: Option<u64>| {
            let counted = self.jobs.iter().filter(|job| job.state == JobState::Waiting && job.bounded);
            counted.filter(|job| of.is_none_or(|of| of == job.key)).count()
        };
        let free = self.limits.running - self.count(JobState::Running);
        waiting(None) < self.limits.waiting + free && waiting(Some(key)) < self.limits.waiting.div_ceil(2) + free
    }

    /// The job that each caller would run next; of them, the one whose caller has used least.
    fn next(&self, fulfils: impl Fn(&Job) -> bool) -> Option<usize> {
        let is_first = |at: &usize| {
            let job = self.jobs[*at];
            let of_caller =
                || self.jobs.iter().filter(|other| other.key == job.key && other.state != JobState::Running);
            let parked = of_caller().filter(|other| other.state == JobState::Parked).map(|other| other.number).min();
            let first = parked.or_else(|| of_caller().map(|other| other.number).min());
            first == Some(job.number)
        };
        let candidates = (0..self.jobs.len()).filter(|at| self.jobs[*at].state != JobState::Running && is_first(at));
        candidates
            .filter(|at| fulfils(&self.jobs[*at]))
            .min_by_key(|at| (self.used[&self.jobs[*at].key], self.jobs[*at].number))
    }

    fn start(&mut self) -> Option<u64> {
        if self.count(JobState::Running) >= self.limits.running {
            return None;
        }
        let at = self.next(|_| true)?;
        self.jobs[at].state = JobState::Running;
        Some(self.jobs[at].number)
    }

    fn check(&mut self, number: u64) -> Option<u64> {
        let own = self.jobs.iter().position(|job| job.number == number && job.state == JobState::Running)?;
        let key = self.jobs[own].key;
        let may_park = self.count(JobState::Parked) < self.limits.parked;
        let at = self.next(|job| {
            job.key != key
                && self.used[&job.key] + 250 <= self.used[&key]
                && (may_park || job.state == JobState::Parked)
        })?;
        self.jobs[own].state = JobState::Parked;
        self.jobs[at].state = JobState::Running;
        Some(self.jobs[at].number)
    }

    fn share(&mut self, number: u64, key: u64) {
        let Some(at) = self.jobs.iter().position(|job| job.number == number) else { return };
        let job = self.jobs[at];
        if job.key == key {
            return;
        }
        self.arrive(key);
        let waiting = self.jobs.iter().filter(|job| job.key == key && job.bounded && job.state == JobState::Waiting);
        let has_place = job.state != JobState::Waiting || waiting.count() < self.limits.waiting.div_ceil(2);
        if self.used[&key] < self.used[&job.key] && has_place {
            self.jobs[at].key = key;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn turns_agree_with_a_simpler_model(
        running in 1..4usize,
        waiting in 1..10usize,
        parked in 0..4usize,
        events in events(),
    ) {
        let limits = TurnLimits { running, waiting, parked };
        let (mut turns, mut model) =
            (Turns::new(limits), Model { limits, jobs: Vec::new(), used: HashMap::new(), reached: 0 });
        let mut now = Instant::now();
        let number = |started: Option<Started<()>>| started.map(|started| match started {
            Started::Begun(number, ()) | Started::Resumed(number) => number,
        });
        for (milliseconds, event) in events {
            now += Duration::from_millis(milliseconds);
            model.pass(milliseconds);
            let job = |at: usize| (!model.jobs.is_empty()).then(|| model.jobs[at % model.jobs.len()].number);
            match event {
                Event::Add(key, bounded) => {
                    let admission = if bounded { Admission::Bounded } else { Admission::InTurn };
                    let added = turns.add(TurnKey(key), admission, (), now);
                    prop_assert_eq!(added.is_ok(), !bounded || model.may_add(key));
                    if let Ok(number) = added {
                        model.arrive(key);
                        model.jobs.push(Job { number, key, bounded, state: JobState::Waiting });
                    }
                }
                Event::Start => prop_assert_eq!(number(turns.start(now)), model.start()),
                Event::Check(at) => if let Some(job) = job(at) {
                    let expected = model.check(job);
                    prop_assert_eq!(turns.must_give_way(job, now), expected.is_some());
                    prop_assert_eq!(number(turns.give_way(job, now)), expected);
                },
                Event::Remove(at) => if let Some(job) = job(at) {
                    turns.remove(job, now);
                    model.jobs.retain(|other| other.number != job);
                },
                Event::Share(at, key) => if let Some(job) = job(at) {
                    turns.share(job, TurnKey(key), now);
                    model.share(job, key);
                },
            }
            let states = [JobState::Waiting, JobState::Running, JobState::Parked].map(|state| model.count(state));
            prop_assert_eq!([turns.waiting(), turns.running(), turns.parked()], states);
            prop_assert!(turns.running() <= running && turns.parked() <= parked);
        }
    }
}
