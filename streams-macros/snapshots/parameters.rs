pub fn flights<P: Fn(&Flight) -> bool + Send + Sync + 'static>(
    argument_1: (u64, u64),
    accept: P,
) -> ::streams::Topology {
    #[doc(hidden)]
    #[allow(non_local_definitions, non_snake_case)]
    #[macro_export]
    macro_rules! only_one_topology_may_have_the_application_id_flights__ {
        () => {};
    }
    #[allow(clippy::needless_pass_by_value, clippy::too_many_arguments, unused_parens)]
    fn __flights<P: Fn(&Flight) -> bool + Send + Sync + 'static>(
        flights: KStream<String, Flight>,
        (hours, minutes): (u64, u64),
        accept: P,
        builder: &::streams::TopologyBuilder,
    ) -> (KStream<String, Flight>, KStream<Keyless, String>) {
        let late = {
            let scope = builder.name_scope("late");
            flights
                .filter(move |_, flight| {
                    let limit = hours * 60 + minutes;
                    flight.delay > limit && accept(flight)
                })
        };
        let (carriers, _) = (
            {
                let scope = builder.name_scope("carriers");
                late.map_values(|flight| flight.carrier.clone())
            },
            late.print(),
        );
        (late, carriers.select_key(|_, _| Keyless))
    }
    let builder = ::streams::TopologyBuilder::new("flights");
    builder.stream_threads(2);
    builder.offset_reset(::streams::OffsetReset::Latest);
    builder
        .on_deserialize_error(
            ::streams::ErrorPolicy::DeadLetter(
                ::std::string::String::from("flights.rejected"),
            ),
        );
    builder.on_process_error(::streams::ErrorPolicy::Skip);
    let scope = builder.name_scope("flights");
    let flights_stream: KStream<String, Flight> = {
        let scope = builder.name_scope("flights");
        builder
            .source_without_headers::<
                String,
                Flight,
            >("flights", ::streams::By(Utf8), ::streams::ByType)
    };
    let (output_0, output_1) = __flights::<
        P,
    >(flights_stream, argument_1, accept, &builder);
    ::streams::sink(output_0, "late", ::streams::ByType, ::streams::By(Json));
    ::streams::sink(output_1, "carriers", ::streams::ByType, ::streams::ByType);
    ::core::mem::drop(scope);
    builder.build()
}
