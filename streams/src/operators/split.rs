//! `split`: records take the first branch that wants them.

use crate::dsl::{KStream, Link, Outlet, Partitioning};
use crate::processor::{Context, Next, Outcome, Process, Record};
use crate::topology::{Kind, NodeId, NodeSpec, TopologyBuilder};
use std::cell::RefCell;
use std::panic::Location;
use std::rc::Rc;

type Predicate<K, V> = Box<dyn Fn(&K, &V) -> bool + Send + Sync>;

/// A branch while the split is drafted.
struct BranchLink<K: ?Sized, V: ?Sized> {
    wants: Predicate<K, V>,
    link: Link<Next<K, V>>,
}

/// A branch of the split that runs.
struct Branch<K: ?Sized, V: ?Sized> {
    wants: Predicate<K, V>,
    next: Next<K, V>,
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Splits the stream into branches. A record takes the first branch whose predicate is true, or the default branch; if
    /// there is none, it is dropped.
    ///
    /// Each branch is a stream, so branches are not chained as in Kafka Streams: keep the split, and ask it for one after the
    /// other.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let split = builder.stream::<Keyless, i64>("numbers").split();
    /// split.branch(|_, n| *n < 0).to("negative");
    /// split.branch(|_, n| *n < 10).to("small");
    /// split.default_branch().to("large");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for n in [-5_i64, 5, 50] {
    ///     driver.pipe("numbers", &Keyless, &n)?;
    /// }
    /// assert_eq!(driver.read_values::<i64>("negative")?, [-5]);
    /// assert_eq!(driver.read_values::<i64>("small")?, [5]);
    /// assert_eq!(driver.read_values::<i64>("large")?, [50]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn split(&self) -> Split<K, V> {
        let node = self.node_behind(Kind::Operator("split"));
        let draft = Rc::new(Draft {
            branches: RefCell::default(),
            default: RefCell::default(),
        });
        let branches = draft.clone();
        self.outlet()
            .add(Box::new(move || Box::new(branches.link())));
        Split {
            draft,
            node,
            builder: self.builder().clone(),
            partitioning: self.partitioning(),
        }
    }
}

/// A stream that is being split. See [`KStream::split`].
#[must_use = "a split without branches drops all records"]
pub struct Split<K: ?Sized, V: ?Sized> {
    draft: Rc<Draft<K, V>>,
    node: NodeId,
    builder: TopologyBuilder,
    partitioning: Partitioning,
}

struct Draft<K: ?Sized, V: ?Sized> {
    branches: RefCell<Vec<BranchLink<K, V>>>,
    default: RefCell<Option<Link<Next<K, V>>>>,
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> Draft<K, V> {
    fn link(&self) -> Branches<K, V> {
        let branches = self.branches.take().into_iter();
        let link = |branch: BranchLink<K, V>| Branch {
            wants: branch.wants,
            next: (branch.link)(),
        };
        Branches {
            branches: branches.map(link).collect(),
            default: self.default.take().map(|link| link()),
        }
    }
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> Split<K, V> {
    /// The records for which `predicate` is true, and that no earlier branch has taken.
    #[track_caller]
    pub fn branch(
        &self,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
    ) -> KStream<K, V> {
        let (stream, link) = self.new_branch("branch", Location::caller());
        let wants = Box::new(predicate);
        self.draft
            .branches
            .borrow_mut()
            .push(BranchLink { wants, link });
        stream
    }

    /// The records that no branch has taken.
    #[track_caller]
    pub fn default_branch(self) -> KStream<K, V> {
        let (stream, link) = self.new_branch("default-branch", Location::caller());
        *self.draft.default.borrow_mut() = Some(link);
        stream
    }

    fn new_branch(
        &self,
        role: &'static str,
        at: &'static Location<'static>,
    ) -> (KStream<K, V>, Link<Next<K, V>>) {
        let node = self
            .builder
            .add(NodeSpec::new(Kind::Operator(role), &[self.node], at));
        let outlet = Outlet::new();
        let children = outlet.clone();
        (
            KStream::new(outlet, node, self.builder.clone()).partitioned(self.partitioning),
            Box::new(move || children.link()),
        )
    }
}

struct Branches<K: ?Sized, V: ?Sized> {
    branches: Box<[Branch<K, V>]>,
    default: Option<Next<K, V>>,
}

impl<K: ?Sized, V: ?Sized> Process<K, V> for Branches<K, V> {
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let wanting = |branch: &&Branch<K, V>| (branch.wants)(record.key, record.value);
        let taken = self.branches.iter().find(wanting);
        match taken.map(|branch| &branch.next).or(self.default.as_ref()) {
            Some(next) => next.process(cx, record),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;

    #[test]
    fn a_record_takes_the_first_branch_and_no_other() {
        let builder = TopologyBuilder::new("app");
        let split = builder.stream::<Keyless, i64>("in").split();
        split.branch(|_, n| n % 2 == 0).to("even");
        split.branch(|_, n| n % 3 == 0).to("third");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        for n in 1..=6_i64 {
            driver.pipe("in", &Keyless, &n).unwrap();
        }
        assert_eq!(driver.read_values::<i64>("even").unwrap(), [2, 4, 6]);
        assert_eq!(driver.read_values::<i64>("third").unwrap(), [3]);
        assert!(driver.read_all_raw().is_empty());
    }

    #[test]
    fn branches_come_together_again() {
        let builder = TopologyBuilder::new("app");
        let split = builder.stream::<Keyless, i64>("in").split();
        let negative = split.branch(|_, n| *n < 0);
        let rest = split.default_branch();
        rest.to("rest");
        negative.merge(&rest).to("all");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        for n in [1_i64, -1] {
            driver.pipe("in", &Keyless, &n).unwrap();
        }
        assert_eq!(driver.read_values::<i64>("rest").unwrap(), [1]);
        assert_eq!(driver.read_values::<i64>("all").unwrap(), [1, -1]);
    }
}
