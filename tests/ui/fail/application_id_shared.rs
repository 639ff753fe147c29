//! Two topologies with one application id would fence each other.

mod orders {
    use streams::prelude::*;

    #[topology(application_id = "order-totals")]
    #[sink(topic = "totals")]
    pub fn totals(
        #[source(topic = "orders")] orders: KStream<Keyless, String>,
    ) -> KStream<Keyless, String> {
        orders
    }
}

mod returns {
    use streams::prelude::*;

    #[topology(application_id = "order-totals")]
    #[sink(topic = "return-totals")]
    pub fn totals(
        #[source(topic = "returns")] returns: KStream<Keyless, String>,
    ) -> KStream<Keyless, String> {
        returns
    }
}

fn main() {}
