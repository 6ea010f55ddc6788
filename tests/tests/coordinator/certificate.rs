//! The completion certificate, for members and observers.

use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::statement::Verified;
use svdr_tests::completed::Completed;

use super::*;

async fn certificate(client: &mut Client, session: &str) -> Result<Vec<v1::Envelope>, Status> {
    let request = v1::GetCertificateRequest { session: session.to_owned() };
    client.get_certificate(request).await.map(|answer| answer.into_inner().statements)
}

#[tokio::test(flavor = "multi_thread")]
async fn members_and_observers_get_it_once_there_is_exactly_one() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut member = connect(&coordinator, network.key(2)).await;
    let mut observer = connect(&coordinator, &network.observer).await;
    let mut completed = Completed::attested(&network, false, 2).unwrap();
    let id = completed.id().to_string();

    let refused = certificate(&mut observer, "4f3a").await.unwrap_err();
    assert_eq!(refusal(&refused), (Code::InvalidArgument, "MALFORMED".to_owned()));
    let refused = certificate(&mut observer, &id).await.unwrap_err();
    assert_eq!(refusal(&refused), (Code::NotFound, "UNKNOWN_SESSION".to_owned()));
    for envelope in &completed.said {
        submit(&mut member, envelope).await.unwrap();
    }
    let refused = certificate(&mut observer, &id).await.unwrap_err();
    assert_eq!(refusal(&refused), (Code::FailedPrecondition, "NOT_COMPLETED".to_owned()));
    assert!(refused.message().contains("when 3 members have attested"), "{}", refused.message());

    for attesting in [3, 4] {
        let before = completed.said.len();
        completed.attest(attesting).unwrap();
        for envelope in &completed.said[before..] {
            submit(&mut member, envelope).await.unwrap();
        }
        let given = certificate(&mut observer, &id).await.unwrap();
        assert_eq!(given, certificate(&mut member, &id).await.unwrap());
        let read = |one| Verified::read(Envelope::from_message(one).unwrap(), &network.roster).unwrap();
        let given = given.into_iter().map(|one| std::sync::Arc::new(read(one)));
        let checked = CompletionCertificate::check(&network.roster, given).unwrap();
        assert_eq!(Some(&checked), completed.certificate().as_ref());
        assert_eq!(checked.attestations().len(), attesting);
    }

    // Two of four take back what they attested: there is none any more.
    let before = completed.said.len();
    completed.abandon(3).unwrap();
    completed.abandon(4).unwrap();
    for envelope in &completed.said[before..] {
        submit(&mut member, envelope).await.unwrap();
    }
    let refused = certificate(&mut observer, &id).await.unwrap_err();
    assert_eq!(refusal(&refused), (Code::FailedPrecondition, "NOT_COMPLETED".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_reads_and_submits_nothing() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut member = connect(&coordinator, network.key(1)).await;
    let session = open(&mut member, &network, 1).await;
    let mut observer = connect(&coordinator, &network.observer).await;
    let listed = observer.list_sessions(v1::ListSessionsRequest {}).await.unwrap().into_inner().sessions;
    assert_eq!(listed[0].session, session.to_string());
    let get = v1::GetSessionRequest { session: session.to_string() };
    assert_eq!(observer.get_session(get).await.unwrap().into_inner().threshold, 3);
    assert_eq!(transcript(&mut observer, &coordinator, session, 0).await.len(), 1);
    let watch = v1::WatchRequest { session: session.to_string(), from: 0 };
    let mut stream = observer.watch(watch).await.unwrap().into_inner();
    assert!(matches!(stream.message().await.unwrap().unwrap().event, Some(Event::Entry(_))));
    let envelope = network.sign(2, Some(session), 1, milestone("a")).unwrap();
    let refused = submit(&mut observer, &envelope).await.unwrap_err();
    assert_eq!(refusal(&refused), (Code::PermissionDenied, "OBSERVER".to_owned()));
}
