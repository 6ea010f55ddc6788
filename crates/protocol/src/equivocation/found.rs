//! Finds contradictions as statements arrive, with the same result in every order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::{Contradiction, Equivocation, contradiction};
use crate::digest::Digest;
use crate::names::MemberName;
use crate::statement::{Body, Verified};

/// The statements that can contradict others, and the contradictions among them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contradictions {
    binding: BTreeMap<MemberName, BTreeMap<Digest, Arc<Verified>>>,
    /// Of several proofs for one contradiction, that with the smallest digests.
    proofs: BTreeMap<(MemberName, Contradiction), (Digest, Digest)>,
}

impl Contradictions {
    /// Adds a statement, and gives what it contradicts.
    pub(crate) fn insert(&mut self, statement: &Arc<Verified>) -> Vec<Contradiction> {
        let binds = matches!(
            statement.body(),
            Body::Evidence(_)
                | Body::Sequencing(_)
                | Body::Agreement(_)
                | Body::Attestation(_)
                | Body::Abandonment(_)
        );
        if !binds || !statement.by_member() {
            return Vec::new();
        }
        let own = self.binding.entry(statement.signer().clone()).or_default();
        let Entry::Vacant(vacant) = own.entry(statement.digest()) else { return Vec::new() };
        vacant.insert(Arc::clone(statement));
        let mut found = Vec::new();
        for other in own.values() {
            let Some(contradiction) = contradiction(statement, other) else { continue };
            let [one, two] = [statement.digest(), other.digest()];
            let proof = (one.min(two), one.max(two));
            self.proofs
                .entry((statement.signer().clone(), contradiction))
                .and_modify(|known| *known = proof.min(*known))
                .or_insert(proof);
            found.push(contradiction);
        }
        found
    }

    /// Whether this signer has contradicted itself in that way.
    pub(crate) fn contains(&self, signer: &MemberName, contradiction: Contradiction) -> bool {
        self.proofs.contains_key(&(signer.clone(), contradiction))
    }

    /// The proofs, in the order of signers.
    pub(crate) fn equivocations(&self) -> impl Iterator<Item = Equivocation> {
        self.proofs.iter().filter_map(|((signer, contradiction), (first, second))| {
            let own = self.binding.get(signer)?;
            Some(Equivocation {
                signer: signer.clone(),
                contradiction: *contradiction,
                first: Arc::clone(own.get(first)?),
                second: Arc::clone(own.get(second)?),
            })
        })
    }
}
