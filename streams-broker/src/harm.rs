//! What a test can do to a running broker, and see of its traffic.

use std::time::Duration;

use crate::broker::Broker;
use crate::embedded::EmbeddedKafka;
use crate::faults::{Fault, Injected, SeenRequest};

/// # Faults
///
/// A test says what goes wrong and when, runs its clients, and looks at what they did:
///
/// ```
/// use streams_broker::{ApiKey, EmbeddedKafka, Fault};
///
/// # fn main() -> Result<(), streams_broker::Error> {
/// let kafka = EmbeddedKafka::builder().topic("orders", 1).start()?;
/// let lost = kafka.inject(Fault::cut_after(ApiKey::Produce).topic("orders").nth(1));
/// // … a producer writes to `orders` here, loses its connection, and sends the records again …
/// assert!(lost.struck().len() <= 1);
/// let written = kafka.requests().into_iter().filter(|request| request.api == ApiKey::Produce);
/// assert_eq!(written.count(), 0); // … or 2, with such a producer
/// # Ok(())
/// # }
/// ```
///
/// What happens is decided by the order of requests alone, so a test with one client does the same every time.
impl EmbeddedKafka {
    /// Makes something go wrong from now on. What is returned tells what the fault saw, and ends it.
    pub fn inject(&self, fault: Fault) -> Injected {
        self.shared.faults.inject(fault)
    }

    /// The faults in force, in the order in which they were injected: those of the builder come first.
    pub fn faults(&self) -> Vec<Injected> {
        self.shared.faults.in_force()
    }

    /// Ends all faults; what they hold goes on.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// The requests that came, the oldest first; of very many the last 10,000, or as many as
    /// [`Builder::max_traffic_bytes`](crate::Builder::max_traffic_bytes) has room for.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.shared.faults.seen()
    }

    /// Moves the broker's clock forward: sessions end, transactions time out, as if that time had passed.
    ///
    /// What is due by then has happened when this returns. Only the broker's clock is moved: waits of clients, the
    /// `max.wait` of a fetch and the delays of faults go by the machine's.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use streams_broker::EmbeddedKafka;
    /// # fn main() -> Result<(), streams_broker::Error> {
    /// let kafka = EmbeddedKafka::start()?;
    /// // Every transaction that is open now is aborted, since none may take longer than 15 minutes.
    /// kafka.advance_clock(Duration::from_secs(16 * 60));
    /// # Ok(())
    /// # }
    /// ```
    pub fn advance_clock(&self, by: Duration) {
        self.shared.advance(by);
    }

    /// Makes the whole broker stand still, as `SIGSTOP` does: connections stay, new ones are not answered, nothing is
    /// served, nothing times out. A request that is being answered may still be.
    ///
    /// The clock goes on; what it makes due happens after [`resume`](Self::resume).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use streams_broker::EmbeddedKafka;
    /// # fn main() -> Result<(), streams_broker::Error> {
    /// let kafka = EmbeddedKafka::start()?;
    /// kafka.pause();
    /// // … clients wait, and some give up …
    /// kafka.resume();
    /// # Ok(())
    /// # }
    /// ```
    pub fn pause(&self) {
        self.shared.set_paused(true);
    }

    /// Goes on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.shared.set_paused(false);
    }

    /// Closes new connections as soon as they are made; those that are open stay.
    ///
    /// With [`cut_connections`](Self::cut_connections) after it, the broker is gone for its clients until
    /// [`accept_connections`](Self::accept_connections):
    ///
    /// ```
    /// # use streams_broker::EmbeddedKafka;
    /// # fn main() -> Result<(), streams_broker::Error> {
    /// let kafka = EmbeddedKafka::start()?;
    /// kafka.refuse_connections();
    /// kafka.cut_connections();
    /// // … clients try to connect, in vain …
    /// kafka.accept_connections();
    /// # Ok(())
    /// # }
    /// ```
    pub fn refuse_connections(&self) {
        self.shared.set_refuses(true);
    }

    /// Accepts connections again after [`refuse_connections`](Self::refuse_connections).
    pub fn accept_connections(&self) {
        self.shared.set_refuses(false);
    }

    /// Closes every connection. Requests that wait, or are held by a fault, are dropped.
    pub fn cut_connections(&self) {
        self.cut.send_modify(|count| *count += 1);
    }

    /// Restarts the broker: same port, same data, every connection cut.
    ///
    /// Topics, committed offsets and transactions are there again, as from Apache Kafka's logs: an open transaction is
    /// still open, a stable group still has its members; a rebalance that was going on begins anew. Of each producer the
    /// last batch alone is known again when it is repeated, if it is younger than `producer.id.expiration.ms` and its
    /// partition has records; and of each transactional id the last epoch. Each partition was without a leader for a
    /// while, so its leader's epoch rises by two: clients ask who leads, and whether what they have read is still there.
    ///
    /// ```
    /// # use streams_broker::EmbeddedKafka;
    /// # fn main() -> Result<(), streams_broker::Error> {
    /// let kafka = EmbeddedKafka::builder().topic("t", 1).start()?;
    /// // … a producer has begun a transaction …
    /// kafka.restart();
    /// // … and commits it on a new connection …
    /// # Ok(())
    /// # }
    /// ```
    pub fn restart(&self) {
        self.shared.with(Broker::restarted);
        self.cut_connections();
    }

    /// Restarts the broker on empty disks: same port, every connection cut, and neither topics (also those of the
    /// builder) nor groups nor transactions.
    ///
    /// ```
    /// # use streams_broker::EmbeddedKafka;
    /// # fn main() -> Result<(), streams_broker::Error> {
    /// let kafka = EmbeddedKafka::builder().topic("t", 1).start()?;
    /// kafka.restart_empty();
    /// kafka.create_topic("t", 1)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn restart_empty(&self) {
        self.shared.with(Broker::emptied);
        self.cut_connections();
    }
}
