//! Tests of the Processor API under the driver: what is undone, and what is refused when a topology is built.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::prelude::*;
use crate::testing::TestRecord;
use std::time::Duration;

const TEN: Duration = Duration::from_millis(10);

fn counts() -> crate::StoreBuilder<KeyValueStore<str, i64>> {
    Stores::key_value("counts")
}

/// Counts by key, and adds a hundred to `a` every ten milliseconds; fails or panics behind its writes where it is told to.
struct Count {
    counts: KeyValueStore<str, i64>,
    told: &'static str,
}

impl Count {
    fn add(&self, cx: &mut ProcessorContext<'_, str, i64>, key: &str, by: i64) -> Outcome<i64> {
        let count = self.counts.get(cx, key)?.unwrap_or_default() + by;
        self.counts.put(cx, key, &count)?;
        Ok(count)
    }

    fn tick(&mut self, time: i64, cx: &mut ProcessorContext<'_, str, i64>) -> Outcome {
        let count = self.add(cx, "a", 100)?;
        cx.forward(Record::new("a", &count, time))?;
        assert_eq!(cx.record_metadata(), None);
        match self.told {
            "panic" => panic!("as it was told"),
            "fail" => Err("x".parse::<i32>().map(|_| ()).unwrap_err())?,
            _ => Ok(()),
        }
    }
}

impl Processor<str, str> for Count {
    type KeyOut = str;
    type ValueOut = i64;

    fn init(&mut self, cx: &mut InitContext<'_, Self, str, i64>) -> Outcome {
        cx.schedule(TEN, PunctuationType::WallClockTime, Self::tick);
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<'_, str, str>,
        cx: &mut ProcessorContext<'_, str, i64>,
    ) -> Outcome {
        let count = self.add(cx, record.key, 1)?;
        cx.forward(record.with_value(&count))?;
        assert_ne!(record.value, "panic");
        match record.value {
            "fail" => Err("x".parse::<i32>().map(|_| ()).unwrap_err())?,
            _ => Ok(()),
        }
    }
}

fn driver(told: &'static str, policy: ErrorPolicy) -> TopologyTestDriver {
    let builder = TopologyBuilder::new("app");
    builder.on_process_error(policy);
    let store = builder.store(counts());
    let input = builder.stream::<str, str>("in");
    let count = move |counts| Count { counts, told };
    input.process_with(&store, count).to("out");
    TopologyTestDriver::new(builder.build()).unwrap()
}

fn count(driver: &mut TopologyTestDriver) -> Option<i64> {
    driver
        .with_store(counts(), |store, cx| store.get(cx, "a"))
        .unwrap()
}

#[test]
fn a_record_that_fails_or_panics_leaves_the_store_as_it_was() {
    for value in ["fail", "panic"] {
        let mut driver = driver("", ErrorPolicy::Skip);
        for value in ["", value, ""] {
            driver.pipe("in", "a", value).unwrap();
        }
        assert_eq!(count(&mut driver), Some(2), "{value}");
        assert_eq!(driver.read_values::<i64>("out").unwrap(), [1, 2], "{value}");
    }
}

#[test]
fn a_punctuator_that_fails_or_panics_leaves_the_store_as_it_was_and_is_called_again() {
    for told in ["fail", "panic"] {
        let mut driver = driver(told, ErrorPolicy::Skip);
        driver.pipe("in", "a", "").unwrap();
        driver.advance_wall_clock(TEN).unwrap();
        driver.advance_wall_clock(TEN).unwrap();
        assert_eq!(count(&mut driver), Some(1), "{told}");
        assert_eq!(driver.read_values::<i64>("out").unwrap(), [1], "{told}");
    }
    let mut driver = driver("", ErrorPolicy::Fail);
    driver.advance_wall_clock(TEN).unwrap();
    driver.advance_wall_clock(TEN).unwrap();
    assert_eq!(count(&mut driver), Some(200));
}

#[test]
fn a_punctuator_that_fails_under_fail_is_an_error_that_names_its_processor() {
    let mut driver = driver("fail", ErrorPolicy::Fail);
    let error = driver.advance_wall_clock(TEN).unwrap_err().to_string();
    for part in ["process failed", "`app-process`", "0_0", "invalid digit"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_punctuators_dead_letter_is_its_reason() {
    let mut driver = driver("panic", ErrorPolicy::DeadLetter("dead".to_owned()));
    driver.advance_wall_clock(TEN).unwrap();
    let dead = driver.read_raw("dead");
    let [letter] = dead.as_slice() else {
        panic!("one letter, and not {dead:?}")
    };
    assert_eq!(
        (&letter.key, &letter.value, letter.timestamp),
        (&None, &None, Some(10))
    );
    let header = |name: &str| {
        letter
            .headers
            .last(&format!("__streams.errors.{name}"))
            .flatten()
    };
    assert_eq!(
        header("message"),
        Some(b"panicked: as it was told".as_slice())
    );
    assert_eq!(header("processor"), Some(b"app-process".as_slice()));
}

#[test]
fn an_init_that_fails_is_an_error_of_the_start() {
    struct Never;
    impl Processor<str, str> for Never {
        type KeyOut = str;
        type ValueOut = str;
        fn init(&mut self, _: &mut InitContext<'_, Self, str, str>) -> Outcome {
            panic!("not today")
        }
        fn process(
            &mut self,
            _: Record<'_, str, str>,
            _: &mut ProcessorContext<'_, str, str>,
        ) -> Outcome {
            Ok(())
        }
    }
    let builder = TopologyBuilder::new("app");
    builder.stream::<str, str>("in").process(|| Never).to("out");
    let Err(error) = TopologyTestDriver::new(builder.build()) else {
        panic!("it gets ready")
    };
    assert!(error.to_string().contains("not today"), "{error}");
}

/// What is wrong with a topology, and the line of this file that it names.
fn error(draft: impl FnOnce(&TopologyBuilder)) -> String {
    let builder = TopologyBuilder::new("app");
    draft(&builder);
    builder.build().check().unwrap_err().to_string()
}

#[test]
fn what_is_not_connected_is_an_error_with_its_place() {
    let line = line!() + 2;
    let unused = error(|builder| {
        let _ = builder.store(counts());
        builder.stream::<str, str>("in").to("out");
    });
    assert!(
        unused.contains("`counts`") && unused.contains(&format!(":{line}:")),
        "{unused}"
    );
    let line = line!() + 2;
    let unused = error(|builder| {
        builder.child::<str, str>().stream().to("out");
        builder.stream::<str, str>("in").to("other");
    });
    assert!(
        unused.contains("child") && unused.contains(&format!(":{line}:")),
        "{unused}"
    );
}

#[test]
fn a_store_of_another_builder_is_an_error_with_the_place_of_the_connection() {
    let other = TopologyBuilder::new("other");
    let store = other.store(counts());
    let line = line!() + 3;
    let foreign = error(|builder| {
        let input = builder.stream::<str, str>("in");
        let _ = input.process_with(&store, |counts| Count { counts, told: "" });
    });
    assert!(foreign.contains("another `TopologyBuilder`"), "{foreign}");
    assert!(foreign.contains(&format!(":{line}:")), "{foreign}");
}

#[test]
fn two_stores_of_one_name_are_an_error() {
    let twice = error(|builder| {
        let stores = (builder.store(counts()), builder.store(counts()));
        let input = builder.stream::<str, str>("in");
        let both = (&stores.0, &stores.1);
        let _ = input.process_with(both, |(counts, _)| Count { counts, told: "" });
    });
    assert!(twice.contains("`counts` is there twice"), "{twice}");
}

#[test]
fn processors_that_share_a_store_are_in_one_sub_topology() {
    let builder = TopologyBuilder::new("app");
    let (one, two) = (
        builder.store(counts()),
        builder.store(Stores::key_value::<str, i64>("two")),
    );
    let count = |counts| Count { counts, told: "" };
    for (topic, store) in [("a", &one), ("b", &two)] {
        let _ = builder.stream::<str, str>(topic).process_with(store, count);
    }
    let c = builder.stream::<str, str>("c");
    let _ = c.process_with((&two, &one), move |(counts, _)| count(counts));
    assert_eq!(builder.build().sub_topologies().len(), 1);
}

#[test]
fn expired_windows_are_removed_and_a_failed_record_does_not_expire_them() {
    struct Window(WindowStore<str, i64>);
    impl Processor<str, i64> for Window {
        type KeyOut = str;
        type ValueOut = i64;
        fn process(
            &mut self,
            record: Record<'_, str, i64>,
            cx: &mut ProcessorContext<'_, str, i64>,
        ) -> Outcome {
            self.0
                .put(cx, record.key, Some(record.value), record.timestamp)?;
            assert_ne!(*record.value, 0);
            Ok(())
        }
    }
    let window = || Stores::window::<str, i64>("windows", Duration::from_secs(120), TEN);
    let builder = TopologyBuilder::new("app");
    builder.on_process_error(ErrorPolicy::Skip);
    let store = builder.store(window());
    let _ = builder
        .stream::<str, i64>("in")
        .process_with(&store, Window);
    let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
    let pipe = |driver: &mut TopologyTestDriver, value: i64, at: i64| {
        let record = TestRecord::new("a".to_owned(), value).at(at);
        driver.pipe_record("in", &record).unwrap();
        let values = driver.with_store(window(), |store, cx| {
            store
                .all(cx)
                .map(|e| e.map(|(_, value)| value))
                .collect::<Outcome<Vec<_>>>()
        });
        values.unwrap()
    };
    assert_eq!(pipe(&mut driver, 1, 5), [1]);
    assert_eq!(pipe(&mut driver, 0, 10_000_000), [1]);
    assert_eq!(pipe(&mut driver, 2, 10_000_000), [2]);
}

/// Schedules a punctuator with its first record, which cancels itself.
#[derive(Default)]
struct Once {
    tell: Option<PunctuatorId>,
    running: Option<Schedule>,
    clock: Option<PunctuationType>,
}

impl Once {
    fn tell(&mut self, time: i64, cx: &mut ProcessorContext<'_, str, i64>) -> Outcome {
        if let Some(running) = self.running.take() {
            cx.cancel(running);
        }
        cx.forward(Record::new("told", &time, time))
    }
}

impl Processor<str, str> for Once {
    type KeyOut = str;
    type ValueOut = i64;

    fn init(&mut self, cx: &mut InitContext<'_, Self, str, i64>) -> Outcome {
        self.tell = Some(cx.punctuator(Self::tell));
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<'_, str, str>,
        cx: &mut ProcessorContext<'_, str, i64>,
    ) -> Outcome {
        if let ("go", Some(tell), Some(clock)) = (record.value, self.tell, self.clock) {
            self.running = Some(cx.schedule(TEN, clock, tell));
        }
        Ok(())
    }
}

#[test]
fn a_processor_schedules_from_process_what_its_init_has_made() {
    for (clock, expected) in [
        // Aligned to zero, so due at once; what is cancelled does not come again.
        (PunctuationType::StreamTime, vec![25, 55]),
        (PunctuationType::WallClockTime, vec![20, 40]),
    ] {
        let builder = TopologyBuilder::new("app");
        let once = move || Once {
            clock: Some(clock),
            ..Once::default()
        };
        builder.stream::<str, str>("in").process(once).to("out");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        for (value, at) in [("", 5), ("go", 25), ("", 45), ("go", 55)] {
            let record = TestRecord::new("k".to_owned(), value.to_owned()).at(at);
            driver.pipe_record("in", &record).unwrap();
            driver.advance_wall_clock(TEN).unwrap();
        }
        assert_eq!(driver.read_values::<i64>("out").unwrap(), expected);
    }
}

/// Forwards each record a second earlier, to a child or not.
struct Earlier(Child<str, str>);

impl Processor<str, str> for Earlier {
    type KeyOut = str;
    type ValueOut = str;

    fn process(
        &mut self,
        record: Record<'_, str, str>,
        cx: &mut ProcessorContext<'_, str, str>,
    ) -> Outcome {
        let earlier = record.with_timestamp(record.timestamp - 1_000);
        match record.value {
            "child" => cx.forward_to(&self.0, earlier),
            _ => cx.forward(earlier),
        }
    }
}

struct EarlierValues(Child<str, str>);

impl FixedKeyProcessor<str, str> for EarlierValues {
    type ValueOut = str;

    fn process(
        &mut self,
        record: FixedKeyRecord<'_, str, str>,
        cx: &mut FixedKeyContext<'_, str, str>,
    ) -> Outcome {
        let earlier = record.with_timestamp(record.timestamp() - 1_000);
        match record.value() {
            "child" => cx.forward_to(&self.0, earlier),
            _ => cx.forward(earlier),
        }
    }
}

#[test]
fn a_record_cannot_be_forwarded_with_a_time_before_1970() {
    let builder = TopologyBuilder::new("app");
    let (one, two) = (builder.child(), builder.child());
    let (keys, values) = (builder.stream::<str, str>("keys"), builder.stream("values"));
    keys.process_with(&one, Earlier).to("out");
    values.process_values_with(&two, EarlierValues).to("out");
    one.stream().merge(&two.stream()).to("out");
    let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
    for topic in ["keys", "values"] {
        for value in ["child", "main"] {
            let mut pipe = |at| {
                let record = TestRecord::new("k".to_owned(), value.to_owned()).at(at);
                driver.pipe_record(topic, &record)
            };
            pipe(1_000).unwrap();
            let error = pipe(999).unwrap_err().to_string();
            assert!(error.contains("the timestamp -1"), "{error}");
        }
    }
    assert_eq!(driver.read_raw("out").len(), 4);
}

/// Tells in which task it is called by the wall clock.
struct Caller;

impl Caller {
    fn call(&mut self, time: i64, cx: &mut ProcessorContext<'_, str, i64>) -> Outcome {
        cx.forward(Record::new("called", &time, time))
    }
}

impl Processor<str, i64> for Caller {
    type KeyOut = str;
    type ValueOut = i64;

    fn init(&mut self, cx: &mut InitContext<'_, Self, str, i64>) -> Outcome {
        cx.schedule(TEN, PunctuationType::WallClockTime, Self::call);
        Ok(())
    }

    fn process(
        &mut self,
        _: Record<'_, str, i64>,
        _: &mut ProcessorContext<'_, str, i64>,
    ) -> Outcome {
        Ok(())
    }
}

#[test]
fn the_wall_clock_calls_the_tasks_of_all_partitions_before_their_first_records() {
    let builder = TopologyBuilder::new("app");
    let stream = builder.stream::<str, i64>("in");
    stream.process(|| Caller).to("of-inputs");
    let repartitioned = stream.repartition_to(std::num::NonZero::new(7).unwrap());
    repartitioned.process(|| Caller).to("of-repartitions");
    let partitions = std::num::NonZero::new(3).unwrap();
    let mut driver = TopologyTestDriver::with_partitions(builder.build(), partitions).unwrap();
    driver.advance_wall_clock(TEN).unwrap();
    let mut called = |topic| driver.read_values::<i64>(topic).unwrap().len();
    assert_eq!((called("of-inputs"), called("of-repartitions")), (3, 7));
}
