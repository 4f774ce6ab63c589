//! `given(history).when(command).then(events)`, over the test framework of cqrs-es.

use cqrs_es::Aggregate;
use cqrs_es::test::{AggregateResultValidator, AggregateTestExecutor, TestFramework};

pub(crate) struct Given<A: Aggregate>(AggregateTestExecutor<A>);
pub(crate) struct When<A: Aggregate>(AggregateResultValidator<A>);

pub(crate) fn given<A: Aggregate<Services = ()>>(history: impl IntoIterator<Item = A::Event>) -> Given<A> {
    Given(TestFramework::<A>::with(()).given(history.into_iter().collect()))
}

pub(crate) fn given_nothing<A: Aggregate<Services = ()>>() -> Given<A> {
    given([])
}

impl<A: Aggregate<Services = ()>> Given<A> {
    pub(crate) fn when(self, command: A::Command) -> When<A> {
        When(self.0.when(command))
    }
}

impl<A: Aggregate> When<A> {
    #[track_caller]
    pub(crate) fn then(self, expected: impl IntoIterator<Item = A::Event>) {
        self.0.then_expect_events(expected.into_iter().collect());
    }

    #[track_caller]
    pub(crate) fn then_nothing(self) {
        self.then([]);
    }

    #[track_caller]
    pub(crate) fn then_rejected(self, expected: A::Error)
    where
        A::Error: PartialEq,
    {
        self.0.then_expect_error(expected);
    }
}

/// The state after `history`.
pub(crate) fn folded<A: Aggregate>(history: impl IntoIterator<Item = A::Event>) -> A {
    let mut aggregate = A::default();
    history.into_iter().for_each(|event| aggregate.apply(event));
    aggregate
}
