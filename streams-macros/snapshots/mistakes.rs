::core::compile_error! {
    "unknown option `aplication_id` in `#[topology]`; did you mean `application_id`?"
}
::core::compile_error! {
    "`stream_threads` is 0, so nothing would run; set it to 1 or more"
}
::core::compile_error! {
    "topic `input` is both a source and a sink of this topology, which would read its own output without end; write to another topic"
}
#[allow(unused_variables)]
pub fn mistakes(limit: usize) -> ::streams::Topology {
    #[allow(dead_code, unused_variables)]
    fn mistakes(
        text: KStream<Keyless, String>,
        limit: usize,
    ) -> KStream<Keyless, String> {
        text.filter(move |_, line| line.len() < limit)
    }
    ::core::unreachable!()
}
