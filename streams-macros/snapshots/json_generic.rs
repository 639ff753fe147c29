impl<A, B: Clone> ::streams::serde::HasSerde for Pair<A, B>
where
    ::streams::Json: ::streams::serde::Serde<Pair<A, B>>,
{
    type Serde = ::streams::Json;
}
