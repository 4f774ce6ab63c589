//! Proofs as files.

use anyhow::Result;

use crate::history::{Instance, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_checked_with_nothing_but_the_key() -> Result<()> {
    let instance = Instance::with(300).await?;
    let key = instance.public_key().await?;
    let elsewhere = Instance::with(1).await?;
    for position in ["1", "256", "257", "300"] {
        let file = instance.file(&format!("{position}.tlog-proof"));
        instance.done(&["prove", position, "--out", text(&file)]).await?;
        let checked = ["prove", "--verify", text(&file), "--key", &key];
        let (status, report) = elsewhere.json(&checked).await?;
        assert_eq!((status, &report["verified"]), (0, &true.into()), "{report}");
        assert_eq!(report["position"].to_string(), position);
    }
    let printed = instance.done(&["prove", "7"]).await?;
    assert!(printed.starts_with("c2sp.org/tlog-proof@v1\nextra "), "{printed}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_of_something_else_is_refused_with_its_reason() -> Result<()> {
    let instance = Instance::with(20).await?;
    let key = instance.public_key().await?;
    let (file, record) = (instance.file("5.tlog-proof"), instance.file("record.json"));
    instance.done(&["prove", "5", "--out", text(&file)]).await?;
    let sound = std::fs::read_to_string(&file)?;
    let export = instance.done(&["export", "--out", "-"]).await?;
    let lines: Vec<&str> = export.lines().collect();

    let of_record = [
        "prove",
        "--verify",
        text(&file),
        "--key",
        &key,
        "--record",
        text(&record),
    ];
    std::fs::write(&record, format!("{}\n", lines[5]))?;
    assert_eq!(instance.json(&of_record).await?.0, 0);
    std::fs::write(&record, lines[6])?;
    let (status, report) = instance.json(&of_record).await?;
    assert_eq!(
        (status, &report["fault"]["kind"]),
        (7, &"inconsistent".into()),
        "{report}"
    );

    let check = ["prove", "--verify", text(&file), "--key", &key];
    let changed = async |from: &str, to: &str| {
        let changed = sound.replacen(from, to, 1);
        anyhow::ensure!(changed != sound, "{from}");
        std::fs::write(&file, changed)?;
        let (status, report) = instance.json(&check).await?;
        Ok((
            status,
            report["fault"]["kind"].as_str().unwrap_or_default().to_owned(),
        ))
    };
    assert_eq!(
        changed("index 4", "index 5").await?,
        (7, "inconsistent".to_owned())
    );
    assert_eq!(
        changed("tlog-proof@v1", "tlog-proof@v2").await?,
        (3, "unreadable".to_owned())
    );
    assert_eq!(
        changed("index 4", "index 99").await?,
        (3, "unreadable".to_owned())
    );
    assert_eq!(changed("\n20\n", "\n19\n").await?, (6, "unsigned".to_owned()));

    std::fs::write(&file, &sound)?;
    let stranger = instance.file("stranger.key");
    let stranger = instance.done(&["keygen", "--out", text(&stranger)]).await?;
    let (status, report) = instance
        .json(&["prove", "--verify", text(&file), "--key", stranger.trim_end()])
        .await?;
    assert_eq!(
        (status, &report["fault"]["kind"]),
        (7, &"inconsistent".into()),
        "{report}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_proof_of_what_is_not_in_the_log() -> Result<()> {
    let instance = Instance::with(20).await?;
    for (position, why) in [("0", "position 1"), ("21", "beyond the log, which ends at 20")] {
        let (status, out, said) = instance.audit(&["prove", position]).await?;
        assert_eq!((status, out.as_str()), (1, ""));
        assert!(said.contains(why), "{said}");
    }
    for usage in [
        &["prove"][..],
        &["prove", "--verify", "x"],
        &["prove", "3", "--key", "k"],
    ] {
        assert_eq!(instance.audit(usage).await?.0, 2, "{usage:?}");
    }
    Ok(())
}
