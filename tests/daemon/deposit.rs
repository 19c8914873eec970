//! Small registries: deposits of names that tests make, and only the zones that these need.

use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::house::House;

/// Of `[registry]`, for what [`zones`] and [`write`] make.
pub const REGISTRY: &str = "[registry]\ndeposits = \"deposits\"\nclock = \"watermark\"\nsecond-level = \"zones/second-level.toml\"\n\
                            sign = \"default\"\n";

/// A registry of `vn`, `com.vn` and `edu.vn`: each start signs three zones and not eighty.
pub fn zones(house: &House) {
    let from = |name: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("zones").join(name)).expect("there");
    let text = from("second-level.toml");
    let mut parts = text.split("[[second_level]]");
    let mut few = parts.next().expect("a head").to_owned();
    for part in parts.filter(|part| ["com", "edu"].iter().any(|label| part.contains(&format!("label = \"{label}\"\n")))) {
        few += "[[second_level]]";
        few += part;
    }
    std::fs::create_dir_all(house.path("zones")).expect("made");
    house.write("zones/second-level.toml", &few);
    house.write("zones/infrastructure.toml", &from("infrastructure.toml"));
}

/// The folder of the deposit of this number; later numbers are newer.
pub fn folder(number: u32) -> String {
    format!("deposits/vn_{number:05}_full_S1_R0")
}

/// Writes a deposit: these names, each with the name servers `ns1` and `ns2` of `hoster`.
pub fn write(house: &House, number: u32, names: &[String], hoster: &str) {
    let mut domains =
        String::from("name,roid,u_name,idn_table,original_name,registrant_class,cl_id,cr_date,ex_date,fee_state,entitlement_ref,target\n");
    let mut statuses = String::from("name,roid,status,rgp_status\n");
    let mut servers = String::from("name,roid,host\n");
    let mut hosts = String::from("name,roid,cl_id,cr_date\n");
    let mut host_statuses = String::from("name,status\n");
    for (i, name) in names.iter().enumerate() {
        let roid = format!("D{i:04}-VN");
        _ = writeln!(domains, "{name},{roid},,,,org,R01,2020-01-01T00:00:00Z,2030-01-01T00:00:00Z,paid,,");
        _ = writeln!(statuses, "{name},{roid},ok,");
        (1..3).for_each(|n| _ = writeln!(servers, "{name},{roid},ns{n}.{hoster}"));
    }
    for n in 1..3 {
        _ = writeln!(hosts, "ns{n}.{hoster},H{n:04}-VN,R01,2020-01-01T00:00:00Z");
        _ = writeln!(host_statuses, "ns{n}.{hoster},linked");
    }
    let files = [
        ("domain.csv", domains),
        ("domainStatuses.csv", statuses),
        ("domainNameServers.csv", servers),
        ("dnssec.csv", "name,roid,key_tag,alg,digest_type,digest\n".into()),
        ("host.csv", hosts),
        ("hostStatuses.csv", host_statuses),
        ("hostAddresses.csv", "name,addr,ver\n".into()),
        ("registrar.csv", "id,name,status\nR01,one,ok\n".into()),
        ("idn.csv", "id,language,file\n".into()),
        ("nndn.csv", "name,state,reason,article\n".into()),
    ];
    let folder = house.path(&folder(number));
    std::fs::create_dir_all(&folder).expect("made");
    let watermark = saola::dns::UnixTime(1_795_000_000 + u64::from(number) * 60);
    let mut header = format!(
        "[deposit]\nformat = \"vn-rde-1\"\ntype = \"FULL\"\nid = \"{number}\"\nprev_id = \"\"\nresend = 0\ntld = \"vn\"\nwatermark = \"{watermark}\"\n\
         csv_header = true\nencoding = \"UTF-8\"\nseparator = \",\"\n\n[totals]\ndomain = {}\nhost = 2\nregistrar = 1\nnndn = 0\n",
        names.len()
    );
    for (name, text) in &files {
        std::fs::write(folder.join(name), text).expect("written");
        _ = write!(
            header,
            "\n[[file]]\nname = \"{name}\"\nrows = {}\nbytes = {}\ncrc32 = \"{:08X}\"\nsha256 = \"{}\"\n",
            text.lines().count() - 1,
            text.len(),
            crc32fast::hash(text.as_bytes()),
            data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
        );
    }
    std::fs::write(folder.join("deposit.toml"), header).expect("written");
}
