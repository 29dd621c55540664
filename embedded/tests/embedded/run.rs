//! Starting and stopping.

use std::fs;

use embedded::{Embedded, StartError};

use crate::{Aws, options};

#[tokio::test]
async fn every_instance_has_its_own_ports_and_data() {
    let (one, other) = (Aws::start().await, Aws::start().await);
    one.sqs.create_queue().queue_name("queue").send().await.unwrap();

    assert_ne!(one.embedded.endpoints(), other.embedded.endpoints());
    assert!(other.sqs.list_queues().send().await.unwrap().queue_urls().is_empty());
}

#[tokio::test]
async fn nothing_listens_after_a_stop() {
    let Aws { embedded, sqs, .. } = Aws::start().await;
    let address = embedded.endpoints().dynamodb.replace("http://", "");
    sqs.list_queues().send().await.unwrap();

    embedded.stop().await;

    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_data_folder_belongs_to_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = Embedded::start(options(Some(folder.path()))).await.unwrap();

    let second = Embedded::start(options(Some(folder.path()))).await;
    assert!(matches!(second, Err(StartError::InUse(_))));

    first.stop().await;
    assert!(Embedded::start(options(Some(folder.path()))).await.is_ok());
}

#[tokio::test]
async fn what_cannot_be_used_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let start = || async { Embedded::start(options(Some(folder.path()))).await.unwrap_err().to_string() };

    fs::write(folder.path().join("format"), "2\n").unwrap();
    assert!(start().await.contains("written by a newer version"));
    fs::write(folder.path().join("format"), "1\n").unwrap();
    fs::write(folder.path().join("dynamodb.sqlite"), "this is no database, however long one looks at it").unwrap();
    let said = start().await;

    assert!(said.contains("dynamodb.sqlite") && said.contains("move it away"), "{said}");
    assert!(!said.contains('\n'));
}
