//! A restart serves images of what has not changed, and only of that.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use super::house::House;
use super::{ZONE, zone_table};

const FROM_IMAGE: &str = "from its image";

fn images(house: &House) -> Vec<String> {
    let names = std::fs::read_dir(house.path("var/images")).into_iter().flatten().flatten();
    let mut names: Vec<String> = names.map(|entry| entry.file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

#[test]
fn files_that_are_as_they_were_are_not_read() {
    let table = zone_table("example.org.", "");
    let mut house = House::new(&table);
    house.write("example.org.zone", &format!("{ZONE}$INCLUDE more\n"));
    house.write("more", "more A 192.0.2.1\n");
    house.start();
    house.wait_for("1 image written");
    assert_eq!(images(&house), ["example.org.image"]);
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(house.path("var/images/example.org.image")).expect("there"));
    assert_eq!(mode & 0o777, 0o600);
    let answers = |house: &House| {
        ["example.org", "more.example.org", "none.example.org"].map(|name| {
            let answer = house.ask(name, RecordType::A);
            (answer.metadata.response_code, answer.answers, answer.authorities)
        })
    };
    let before = answers(&house);
    house.stop();

    house.start();
    assert!(house.read("err").contains(FROM_IMAGE), "{}", house.read("err"));
    assert!(house.read("out").contains("resumed, nothing was compiled or signed"), "{}", house.read("out"));
    assert_eq!(answers(&house), before);
    // A reload reads the files, whatever their times say.
    house.write("more", "other A 192.0.2.1\n");
    house.write("example.org.zone", &format!("{}$INCLUDE more\n", ZONE.replace(" 7 ", " 8 ")));
    house.tool_ok(&["zone", "reload", "example.org"]);
    assert_eq!(house.rcode("other.example.org"), ResponseCode::NoError);
    house.stop();

    house.write("more", "third A 192.0.2.1\n");
    house.start();
    assert!(!house.read("err").contains(FROM_IMAGE), "an included file has changed: {}", house.read("err"));
    assert_eq!([house.rcode("other.example.org"), house.rcode("third.example.org")], [ResponseCode::NXDomain, ResponseCode::NoError]);
    house.wait_for("1 image written");
    house.stop();

    let path = house.path("var/images/example.org.image");
    let mut octets = std::fs::read(&path).expect("there");
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    std::fs::write(&path, octets).expect("written");
    house.start();
    assert!(house.read("err").contains("the image is damaged"), "{}", house.read("err"));
    assert_eq!(house.rcode("third.example.org"), ResponseCode::NoError);
    house.wait_for("1 image written");
    house.stop();
    house.start();
    assert!(house.read("err").contains(FROM_IMAGE), "{}", house.read("err"));
    house.stop();

    // The zone is gone, and its image with it.
    house.configure(&zone_table("example.net.", ""));
    house.write("example.net.zone", ZONE);
    house.start();
    house.wait_for("1 image written");
    assert_eq!(images(&house), ["example.net.image"]);
}

#[test]
fn zones_that_are_signed_here_are_resumed_from_images() {
    let mut house = House::new(&zone_table("example.org.", "sign = \"default\""));
    house.write("example.org.zone", ZONE);
    house.start();
    house.wait_for("1 image written");
    let before = house.ask("none.example.org", RecordType::A).authorities;
    house.stop();
    house.start();
    assert!(house.read("err").contains("1 zone resumed, 1 from images"), "{}", house.read("err"));
    assert_eq!(house.ask("none.example.org", RecordType::A).authorities, before);
    // What changed while nobody ran is read, and signed.
    house.stop();
    house.write("example.org.zone", &ZONE.replace("SOA", "SOA ").replace(" 7 ", " 8 "));
    house.start();
    assert_eq!(house.serial("example.org"), 8);
    house.stop();
    // The image is still that of the snapshot, and the log leads on from there.
    house.start();
    assert_eq!(house.serial("example.org"), 8);
    assert!(house.read("err").contains("1 zone resumed, 1 from images"), "{}", house.read("err"));
    assert!(!house.read("err").contains("publish"), "{}", house.read("err"));
}

/// A file that is written anew with what it had: the zone stays, and its image is of the new file. Missing for a while, it costs nothing.
#[test]
fn a_touched_file_keeps_its_image() {
    let mut house = House::new(&zone_table("example.org.", ""));
    house.write("example.org.zone", ZONE);
    house.start();
    house.wait_for("1 image written");
    let file = house.path("example.org.zone");
    std::fs::remove_file(&file).expect("removed");
    house.write("example.org.zone", ZONE);
    house.tool_ok(&["server", "reload"]);
    assert_eq!(house.read("err").matches("] publish,").count(), 1, "{}", house.read("err"));
    let begin = std::time::Instant::now();
    while house.read("err").matches("1 image written").count() < 2 {
        assert!(begin.elapsed() < super::house::PATIENCE, "{}", house.read("err"));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    house.stop();
    house.start();
    assert!(house.read("err").contains(FROM_IMAGE), "{}", house.read("err"));
    house.stop();

    let (away, other) = (house.path("away"), "var/images/notes.txt");
    house.write(other, "mine");
    std::fs::rename(&file, &away).expect("moved");
    house.start();
    assert_eq!(house.rcode("example.org"), ResponseCode::ServFail);
    house.stop();
    assert_eq!(images(&house), ["example.org.image", "notes.txt"]);
    std::fs::rename(&away, &file).expect("moved");
    house.start();
    assert_eq!(house.rcode("example.org"), ResponseCode::NoError);
    house.stop();
    assert_eq!(house.read(other), "mine");
}
