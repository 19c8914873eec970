//! Takes orders in: judged, written down, put in force, answered. What arrives together goes out under one serial.

use std::collections::BTreeSet;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::desk::{Answer, Ask, Reply};
use super::follow::{Follower, Told};
use crate::compile::Impact;
use crate::config;
use crate::dns::{Name, UnixTime};
use crate::journal::Log;
use crate::orders::{CANCEL_DUE, Filed, Filing, Grounds, Order, OrderKind, Orders, Refusal, Rules, Standing};
use crate::pipeline::{Book, Carried, Pipeline, Plan, Published};
use crate::telemetry::count;
use crate::zone::{NameMap, ZoneSet};

/// What filings are judged by.
pub struct Clerk {
    grounds: Result<Grounds, String>,
    protected: Vec<String>,
    max_impact: u32,
}

/// What came of some questions.
pub struct Done {
    /// What was put in force.
    carried: Carried,
    /// The answers and whom they are for.
    replies: Vec<(Sender<Answer>, Answer)>,
}

impl Done {
    /// Gives the answers, and what was put in force.
    pub fn reply(self) -> Carried {
        for (reply, answer) in self.replies {
            // Who asked may have gone.
            let _ = reply.send(answer);
        }
        self.carried
    }
}

/// How far a filing got.
enum Entry {
    Refused(String),
    Known(String),
    New(Box<New>),
}

/// An order that was added to the ledger.
struct New {
    id: String,
    seq: u64,
    kind: OrderKind,
    domain: String,
    effective_at: UnixTime,
    /// The largest TTLs of what was published, and of an answer that there is nothing.
    ttl: (u32, u32),
    notes: Vec<String>,
}

/// What is to be written down of an order.
///
/// It is published if its zone is among those that changed, or if it holds and nothing is left to be done for its name.
pub fn told(order: &Order, book: &Book, orders: &Orders, carried: &Carried, now: UnixTime) -> Told {
    let is_open = book.is_open(&order.domain)
        || carried.problems.iter().any(|problem| problem.zone.as_ref().is_none_or(|zone| is_in(&order.domain, zone)));
    let is_over = matches!(orders.state(order, now), "expired" | "restored");
    let zone = zone_of(&order.domain, &carried.published);
    Told {
        order_id: order.order_id.clone(),
        line: (order.seq, orders.line_digest(order).unwrap_or_default()),
        kind: order.kind.as_str(),
        domain: order.domain.clone(),
        is_published: order.effective_at <= now && (zone.is_some() || !is_open && !is_over),
        zone: zone.map(|zone| (zone.apex.clone(), zone.from, zone.to)),
        taken: Instant::now(),
        took: None,
    }
}

/// The most names of an impact that an order and an answer carry. Our choice: `saola order impact` has all.
const MOST_IMPACT: usize = 100;

/// Names in one report that the registry may take back. Our choice: the findings of `saola zone compile` have all.
const MOST_CANDIDATES: usize = 1000;

/// Orders in one answer to who lists them. Our choice: nobody who files one waits a millisecond for it.
const MOST_LISTED: usize = 200;

impl Clerk {
    /// As the configuration says.
    pub fn new(config: &config::Orders) -> Self {
        let grounds = Grounds::read(config.legal_grounds.as_deref());
        if let Err(what) = &grounds {
            log::error!("no order can be taken, the table of legal grounds cannot be read: {what}");
        }
        Self { grounds, protected: config.protected.clone(), max_impact: config.max_impact }
    }

    /// Answers questions, and carries out what was filed among them.
    pub fn work(
        &self,
        asked: Vec<(Ask, Sender<Answer>)>,
        pipeline: &mut Pipeline,
        plan: &Plan,
        follower: &Follower,
        now: UnixTime,
        swap: impl FnOnce(ZoneSet, NameMap<Log>),
    ) -> Done {
        let begin = Instant::now();
        let (mut filed, mut replies) = (Vec::new(), Vec::new());
        for (ask, reply) in asked {
            match ask {
                Ask::File(filings) => {
                    let entries: Vec<Entry> = filings.iter().map(|filing| self.take(filing, pipeline, now)).collect();
                    filed.push((entries, reply));
                }
                Ask::Impact(domain) => replies.push((reply, impact(&domain, pipeline).map(Reply::Done))),
                Ask::List { domain, all, after } => {
                    replies.push((reply, list(pipeline, domain.as_deref(), all, after, now).map(Reply::Done)))
                }
                Ask::Show(id) => replies.push((reply, show(pipeline, &id, now).map(Reply::Done))),
                Ask::Report => replies.push((reply, report(pipeline, plan, follower, now))),
            }
        }
        let n_refused = filed.iter().flat_map(|(entries, _)| entries).filter(|entry| matches!(entry, Entry::Refused(_))).count();
        if n_refused > 0 {
            follower.refused(n_refused);
        }
        if filed.is_empty() {
            return Done { carried: Carried::default(), replies };
        }
        let judged = begin.elapsed();
        let written = pipeline.book().ledger().and_then(|ledger| {
            let committed = ledger.commit();
            ledger.take_alarms().iter().for_each(|alarm| log::warn!("{alarm}"));
            committed.map_err(|error| format!("the ledger cannot be written, nothing of this is in force: {error}"))
        });
        let durable = begin.elapsed();
        let carried = match &written {
            Ok(()) => {
                let entries = filed.iter().flat_map(|(entries, _)| entries);
                let names: Vec<&str> = entries
                    .filter_map(|entry| match entry {
                        Entry::New(new) if new.effective_at <= now => Some(&new.domain[..]),
                        Entry::New(_) | Entry::Known(_) | Entry::Refused(_) => None,
                    })
                    .collect();
                pipeline.carry_out(plan, names, now, swap)
            }
            Err(what) => {
                log::error!("orders refused: {what}");
                Carried::default()
            }
        };
        let times = Times { judged, durable, published: begin.elapsed() };
        let book = pipeline.book();
        if let (Ok(()), Ok(orders)) = (&written, book.orders()) {
            let new = filed.iter().flat_map(|(entries, _)| entries).filter_map(|entry| match entry {
                Entry::New(new) => orders.by_id(&new.id),
                Entry::Known(_) | Entry::Refused(_) => None,
            });
            let took = Some(times.published);
            follower.follow(new.map(|order| Told { taken: begin, took, ..told(order, book, orders, &carried, now) }).collect());
        }
        for (entries, reply) in filed {
            let lines = entries.into_iter().map(|entry| line(entry, &written, &carried, &times, now)).collect();
            replies.push((reply, Ok(Reply::Done(Value::Array(lines)))));
        }
        Done { carried, replies }
    }

    /// Judges a filing, and adds it to the ledger.
    fn take(&self, filing: &Filing, pipeline: &mut Pipeline, now: UnixTime) -> Entry {
        match self.judge(filing, pipeline, now) {
            Ok(entry) => entry,
            Err(what) => {
                log::warn!(
                    "order refused, {} of '{}' by '{}': {what}",
                    filing.kind,
                    filing.domain.escape_debug(),
                    filing.operator.escape_debug()
                );
                Entry::Refused(what)
            }
        }
    }

    fn judge(&self, filing: &Filing, pipeline: &mut Pipeline, now: UnixTime) -> Result<Entry, String> {
        let grounds = self.grounds.as_ref().map_err(|what| format!("the table of legal grounds cannot be read: {what}"))?;
        let register = pipeline.book().register().cloned();
        // While that is being read, what is served tells.
        let zones: Vec<String> = match (&register, pipeline.compiled()) {
            (None, Some(compiled)) => compiled.zones.clone(),
            (_, None) | (Some(_), _) => Vec::new(),
        };
        let standing = |name: &str| register.as_ref().map_or_else(|| standing(name, &zones), |register| register.standing(name.as_bytes()));
        let rules = Rules { grounds, protected: &self.protected, standing: &standing };
        let filed = filing.judge(pipeline.book().ledger()?.orders(), &rules, now).map_err(|refusal: Refusal| refusal.to_string())?;
        let mut order = match filed {
            Filed::New(order) => order,
            Filed::Known(_) => return Ok(Entry::Known(filing.order_id.clone().unwrap_or_default())),
        };
        let mut notes = Vec::new();
        if order.kind != OrderKind::Restore {
            let impact = pipeline.impact(order.domain.as_bytes());
            if let Some(impact) = &impact
                && !impact.dependants.is_empty()
            {
                notes.push(said_of(impact, &order.domain));
                order.impact = Some(impact.dependants.iter().take(MOST_IMPACT).map(|dependant| dependant.domain.clone()).collect());
            }
            let n = impact.as_ref().map(|impact| impact.dependants.len());
            match n {
                Some(n) if n > self.max_impact as usize && !filing.accept_impact => {
                    return Err(format!(
                        "IMPACT: {}; see `saola order impact {}`, and file it with --accept-impact",
                        notes.join(" "),
                        order.domain
                    ));
                }
                None if !filing.accept_impact && pipeline.has_hosts_below(&order.domain) => {
                    return Err("IMPACT: who uses the hosts below it is not known yet, the registry's data is being read: try again, or file it with --accept-impact".into());
                }
                Some(_) | None => {}
            }
            if order.legal_ground == CONTINUED {
                let orders = pipeline.book().ledger()?.orders();
                let is_old = |order: &Order| order.kind == OrderKind::Suspend && order.effective_at.0.saturating_add(CANCEL_DUE) <= now.0;
                if !orders.all_in_force(order.domain.as_bytes(), now).any(is_old) {
                    notes.push(format!(
                        "{CONTINUED} is for what has been suspended for 30 days (art. 13.1.3), and no order says so of '{}'",
                        order.domain
                    ));
                }
            }
            if register.as_ref().is_some_and(|register| register.has_own_servers(&order.domain)) {
                notes.push(format!(
                    "name servers of the registry's own are at or below '{}', and stay: the configuration has them",
                    order.domain
                ));
            }
            order.snapshot = pipeline.delegation_digest(&order.domain);
            if order.snapshot.is_none() && register.as_ref().is_some_and(|register| !register.has(order.domain.as_bytes())) {
                notes.push(format!("'{}' is not in the registry's data; the order holds, should it be registered", order.domain));
            }
        }
        let ttl = pipeline.longest_ttl(&order.domain);
        let added = pipeline.book().ledger()?.add(*order)?;
        let (id, seq, kind) = (added.order_id.clone(), added.seq, added.kind);
        let (domain, effective_at) = (added.domain.clone(), added.effective_at);
        Ok(Entry::New(Box::new(New { id, seq, kind, domain, effective_at, ttl, notes })))
    }
}

/// What a name is to the registry, by the zones that are served.
fn standing(name: &str, zones: &[String]) -> Standing {
    let is_zone = |name: &str| zones.iter().any(|zone| zone.strip_suffix('.') == Some(name));
    match name.split_once('.') {
        _ if is_zone(name) => Standing::Zone,
        Some((_, above)) if is_zone(above) => Standing::Registrable,
        Some(_) | None => Standing::Other,
    }
}

/// How long each step took since the orders came.
struct Times {
    judged: Duration,
    durable: Duration,
    published: Duration,
}

/// The ground of cancellations after a suspension (92/2003 art. 13.1.3).
const CONTINUED: &str = "CONTINUED_30D";

/// What is answered about a filing.
fn line(entry: Entry, written: &Result<(), String>, carried: &Carried, times: &Times, now: UnixTime) -> Value {
    let new = match entry {
        Entry::Refused(what) => return json!({"ok": false, "error": what}),
        Entry::Known(id) => {
            return json!({"ok": true, "order_id": id, "state": "known", "notes": ["it is in the ledger already, nothing is changed"]});
        }
        Entry::New(new) => new,
    };
    if let Err(what) = written {
        return json!({"ok": false, "error": what});
    }
    let New { id, seq, kind, domain, effective_at, ttl, mut notes } = *new;
    let zone = zone_of(&domain, &carried.published);
    let problem = carried.problems.iter().find(|problem| problem.zone.as_ref().is_none_or(|zone| is_in(&domain, zone)));
    let state = match (effective_at <= now, &zone, problem) {
        (false, ..) => "accepted",
        (true, Some(_), _) => "published",
        (true, None, Some(_)) => "accepted",
        (true, None, None) => "in force",
    };
    if effective_at > now {
        notes.push(format!("it holds from {effective_at} on"));
    } else if zone.is_none() {
        notes.push(problem.map_or_else(
            || "there was nothing to change in the zones".to_owned(),
            |problem| format!("it is in the ledger and not yet published, which is tried again: {}", problem.what),
        ));
    }
    let (published, negative) = ttl;
    let longest = if kind == OrderKind::Restore { negative } else { published };
    json!({
        "ok": true, "order_id": id, "seq": seq, "state": state, "domain": domain,
        "zone": zone.map(|zone| zone.apex.to_string()),
        "serial_before": zone.and_then(|zone| zone.from).map(|serial| serial.0),
        "serial_after": zone.map(|zone| zone.to.0),
        "cached_until": zone.map(|_| UnixTime(now.0 + u64::from(longest)).to_string()),
        "judged_us": times.judged.as_micros() as u64, "ledger_us": (times.durable - times.judged).as_micros() as u64,
        "published_us": (times.published - times.durable).as_micros() as u64,
        "notes": notes,
    })
}

fn is_in(domain: &str, zone: &Name) -> bool {
    Name::parse(domain).is_ok_and(|name| name.as_ref().is_at_or_below(zone.as_ref()))
}

/// The zone in which the name itself changed, which is the deepest around it.
fn zone_of<'a>(domain: &str, published: &'a [Published]) -> Option<&'a Published> {
    published.iter().filter(|zone| is_in(domain, &zone.apex)).max_by_key(|zone| zone.apex.as_ref().label_count())
}

fn said_of(impact: &Impact, domain: &str) -> String {
    let lost = impact.dependants.iter().filter(|dependant| dependant.n_lost == dependant.n_servers).count();
    let state = impact.dependants.iter().filter(|dependant| dependant.is_state).count();
    let of_state = if state > 0 { format!(", {} of the State among them", count(state, "name")) } else { String::new() };
    format!("{} use hosts below '{domain}', {lost} of them no others{of_state}", count(impact.dependants.len(), "name"))
}

fn impact(domain: &str, pipeline: &mut Pipeline) -> Result<Value, String> {
    let name =
        crate::dns::idn::encode_name(domain.strip_suffix('.').unwrap_or(domain)).ok_or_else(|| format!("'{domain}' is no domain name"))?;
    if pipeline.book().register().is_some_and(|register| register.standing(name.as_bytes()) == Standing::Zone) {
        return Err(format!("PROTECTED_NAME: '{name}' is a zone that many names share, and no order takes it away"));
    }
    let impact =
        pipeline.impact(name.as_bytes()).ok_or("who uses which hosts is not known yet, the registry's data is being read; try again")?;
    let dependants: Vec<Value> = impact
        .dependants
        .iter()
        .map(|d| json!({"domain": d.domain, "servers_lost": d.n_lost, "servers": d.n_servers, "state_body": d.is_state}))
        .collect();
    Ok(json!({
        "domain": name, "names": dependants.len(),
        "names_without_servers": impact.dependants.iter().filter(|d| d.n_lost == d.n_servers).count(),
        "state_bodies": impact.dependants.iter().filter(|d| d.is_state).count(),
        "dependants": dependants,
    }))
}

fn list(pipeline: &mut Pipeline, domain: Option<&str>, all: bool, after: u64, now: UnixTime) -> Result<Value, String> {
    pipeline.book().ledger()?;
    let book: &Book = pipeline.book();
    let orders = book.orders()?;
    let name = domain.map(|domain| {
        crate::dns::idn::encode_name(domain.strip_suffix('.').unwrap_or(domain)).ok_or_else(|| format!("'{domain}' is no domain name"))
    });
    let name = name.transpose()?;
    let is_asked = |order: &&Order| {
        name.as_ref().is_none_or(|name| *name == order.domain) && (all || matches!(orders.state(order, now), "in force" | "to come"))
    };
    let all = orders.all();
    let behind = &all[all.partition_point(|order| order.seq <= after)..];
    Ok(behind.iter().filter(is_asked).take(MOST_LISTED).map(|order| shown(book, orders, order, now)).collect())
}

fn show(pipeline: &mut Pipeline, id: &str, now: UnixTime) -> Result<Value, String> {
    pipeline.book().ledger()?;
    let book: &Book = pipeline.book();
    let orders = book.orders()?;
    let order = orders.by_id(id).ok_or_else(|| format!("there is no order '{}'", id.escape_debug()))?;
    Ok(shown(book, orders, order, now))
}

fn report(pipeline: &mut Pipeline, plan: &Plan, follower: &Follower, now: UnixTime) -> Answer {
    let register = pipeline.book().register().cloned();
    pipeline.book().ledger()?;
    let judged = pipeline.register_at(plan, now);
    let book: &Book = pipeline.book();
    let orders = book.orders()?;
    let (due, n_open) = follower.due(orders, now);
    let due =
        due.iter().map(|due| json!({"code": due.code, "order_id": due.order_id, "domain": due.domain, "since": due.since.to_string()}));
    let is_in_force = |order: &&Order| order.kind != OrderKind::Restore && orders.state(order, now) == "in force";
    let missed = orders.all().iter().filter(is_in_force).filter_map(|order| {
        let register = register.as_ref()?;
        let is_missed =
            register.deposit().header.watermark >= order.effective_at && !register.reflects(order.domain.as_bytes(), order.kind);
        let since = register.deposit().header.watermark.to_string();
        is_missed.then(|| json!({"code": "ORDER_OVERRIDES_EXPORT", "order_id": order.order_id, "domain": order.domain, "since": since}))
    });
    let unpublished = orders.all().iter().filter(|order| book.is_open(&order.domain)).filter(is_in_force).map(|order| {
        json!({"code": "NOT_PUBLISHED", "order_id": order.order_id, "domain": order.domain, "since": order.effective_at.to_string()})
    });
    let due: Vec<Value> = due.chain(missed).chain(unpublished).collect();
    let cancelled = orders.all().iter().filter(|order| order.kind == OrderKind::Cancel && orders.state(order, now) == "in force");
    let cancelled: BTreeSet<String> = cancelled.map(|order| order.domain.clone()).collect();
    Ok(Reply::Later(Box::new(move || {
        let (candidates, n) = judged.map_or((Vec::new(), 0), |(register, at)| register.candidates(at, MOST_CANDIDATES));
        let candidates = candidates.iter().filter(|candidate| !cancelled.contains(&candidate.domain));
        let candidates = candidates.map(|found| json!({"code": found.code, "domain": found.domain, "since": found.since.to_string()}));
        json!({"due": due, "candidates": candidates.collect::<Vec<_>>(), "all_candidates": n, "open_acknowledgements": n_open})
    })))
}

/// What an order is that holds, and that the zones do not show yet.
const NOT_PUBLISHED: &str = "not published";

/// An order with what it is now.
fn shown(book: &Book, orders: &Orders, order: &Order, now: UnixTime) -> Value {
    let mut value = serde_json::to_value(order).unwrap_or(Value::Null);
    let state = orders.state(order, now);
    value["state"] = if state == "in force" && book.is_open(&order.domain) { NOT_PUBLISHED } else { state }.into();
    value["ended_at"] = orders.lifted_at(order).map(|at| at.to_string()).into();
    value
}
