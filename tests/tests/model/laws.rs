//! What the model relies on, tested on random knowledge: showing an agent more than it needs may hold it back, and
//! makes it sign nothing that it would not sign knowing less.

use proptest::prelude::*;

use super::network::{Id, Network};
use super::recovery::{Outcome, Recovery, Vote};

/// What everybody may come to have signed: a run of the model that takes its choices from `choices`.
fn run(model: &Recovery, choices: &[prop::sample::Index]) -> Vec<Vec<Id>> {
    use stateright::Model as _;
    let mut state = model.init_states().remove(0);
    for choice in choices {
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        if actions.is_empty() {
            break;
        }
        let action = choice.get(&actions).clone();
        if let Some(next) = model.next_state(&state, action) {
            state = next;
        }
    }
    state.0.into_iter().map(|own| own.into_iter().collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_signed_knowing_much_is_signed_knowing_little(
        choices in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
        shown in any::<u64>(),
    ) {
        let model = Recovery::new(Network::rounds(4, 2)).with_releases().abandoning(2);
        let signed = run(&model, &choices);
        for (member, own) in signed.iter().enumerate() {
            let others = signed.iter().enumerate().filter(|(other, _)| *other != member).flat_map(|(_, own)| own);
            let part: Vec<Id> =
                others.enumerate().filter(|(at, _)| shown >> (at % 64) & 1 == 1).map(|(_, id)| *id).collect();
            for slot in 0..model.network.slots.len() {
                for vote in [Vote::Agree, Vote::Attest, Vote::Abandon, Vote::Release] {
                    let Outcome::Signs(id) = model.decide(vote, member, slot, own, &part) else { continue };
                    let mut found = false;
                    match model.decide(vote, member, slot, own, &[]) {
                        Outcome::Signs(alone) => found = alone == id,
                        Outcome::Waits => model.parts(vote, &part, &mut |part| {
                            found |= model.decide(vote, member, slot, own, part) == Outcome::Signs(id);
                        }),
                        Outcome::No => {}
                    }
                    prop_assert!(found, "{vote:?} of member {member} in slot {slot} takes more than the model shows");
                }
            }
        }
    }
}
