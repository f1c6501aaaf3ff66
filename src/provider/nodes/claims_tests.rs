//! Walks over two resources in every order that Terraform may choose: all of them find the same.

use super::*;

fn keys(names: &str) -> BTreeSet<String> {
    names.split_whitespace().map(ToOwned::to_owned).collect()
}

fn site(node: &str) -> Site {
    Site::new(node, None)
}

fn on(node: &str, names: &str) -> Holding {
    Holding { site: site(node), keys: keys(names) }
}

/// What Terraform asks of the provider for one resource: its instance, and the keys that it has or wants.
#[derive(Clone, Copy, Debug)]
enum Step {
    Read(&'static str, &'static str),
    Plan(&'static str, &'static str, &'static str),
    Destroy(&'static str, &'static str),
    Create(&'static str),
}
use Step::{Create, Destroy, Plan, Read};

fn take(claims: &mut PlanClaims, step: Step) -> bool {
    let (owner, has, wants) = match step {
        Read(id, has) => {
            claims.seen(id, on("n", has), Private(id.into()));
            return false;
        }
        Plan(id, has, wants) => (Owner::Instance(id.into()), Some(has), Some(wants)),
        Destroy(id, has) => (Owner::Instance(id.into()), Some(has), None),
        Create(wants) => (Owner::New, None, Some(wants)),
    };
    let hold = |names: Option<&str>| names.map(|names| on("n", names));
    !claims.plan(Claim { owner, has: hold(has), wants: hold(wants) }).is_empty()
}

/// Every order of two resources' steps that keeps those of each.
fn orders(one: &[Step], other: &[Step]) -> Vec<Vec<Step>> {
    match (one, other) {
        ([], rest) | (rest, []) => vec![rest.to_vec()],
        ([first, ones @ ..], [second, others @ ..]) => {
            let before = |step: Step, rest: Vec<Vec<Step>>| {
                rest.into_iter().map(move |rest| [vec![step], rest].concat()).collect::<Vec<_>>()
            };
            [before(*first, orders(ones, other)), before(*second, orders(one, others))].concat()
        }
    }
}

fn check(one: &[Step], other: &[Step], is_refused: bool) {
    for order in orders(one, other) {
        let mut claims = PlanClaims::default();
        let found: Vec<bool> = order.iter().map(|step| take(&mut claims, *step)).collect();
        assert_eq!(found.contains(&true), is_refused, "{order:?}");
    }
}

#[test]
fn a_key_that_goes_from_one_resource_to_another_is_refused_in_every_order() {
    check(&[Read("a", "x y"), Plan("a", "x y", "y")], &[Read("b", "z"), Plan("b", "z", "z x")], true);
    // Without a refresh.
    check(&[Plan("a", "x y", "y")], &[Plan("b", "z", "z x")], true);
    check(&[Read("a", "x y"), Plan("a", "x y", "y")], &[Create("x")], true);
    check(&[Read("a", "x"), Destroy("a", "x")], &[Create("x")], true);
    check(&[Destroy("a", "x"), Read("a", "x")], &[Create("x")], true);
    check(&[Destroy("a", "x")], &[Plan("b", "z", "z x")], true);
}

#[test]
fn two_resources_that_want_one_key_are_refused_in_every_order() {
    check(&[Create("x")], &[Create("x y")], true);
    check(&[Read("a", "x"), Plan("a", "x", "x")], &[Create("x")], true);
    check(&[Read("a", "x"), Plan("a", "x", "x y")], &[Read("b", "z"), Plan("b", "z", "z y")], true);
}

#[test]
fn resources_with_keys_of_their_own_pass_in_every_order() {
    check(&[Read("a", "x y"), Plan("a", "x y", "y")], &[Read("b", "z"), Plan("b", "z", "z w")], false);
    check(&[Read("a", "x"), Destroy("a", "x")], &[Create("y")], false);
    check(&[Create("x")], &[Create("y")], false);
}

#[test]
fn a_tainted_resource_gives_its_keys_to_its_own_replacement_and_to_nobody_else() {
    check(&[Read("a", "x"), Create("x")], &[Read("b", "z"), Plan("b", "z", "z")], false);
    check(&[Read("a", "x"), Create("x y")], &[Read("b", "z"), Create("z")], false);
    check(&[Read("a", "x"), Create("x")], &[Read("b", "z"), Plan("b", "z", "z x")], true);
    // It gives x up in its replacement, and another one takes it.
    check(&[Read("a", "x"), Create("y")], &[Read("b", "z"), Plan("b", "z", "z x")], true);
}

#[test]
fn a_replacement_that_is_planned_with_its_memory_is_the_same_resource() {
    let mut claims = PlanClaims::default();
    assert!(!take(&mut claims, Read("a", "x")) && !take(&mut claims, Plan("a", "x", "x")));
    let again = Claim { owner: Owner::Instance("a".into()), has: None, wants: Some(on("n", "x")) };
    assert_eq!(claims.plan(again), []);
}

#[test]
fn what_a_create_may_replace_is_what_was_read_and_not_planned_as_itself() {
    let mut claims = PlanClaims::default();
    for step in [Read("a", "x"), Read("b", "y"), Plan("a", "x", "x")] {
        assert!(!take(&mut claims, step));
    }
    assert_eq!(claims.replaceable(), [("n".to_owned(), Private(b"b".to_vec()))]);
}

#[test]
fn what_was_applied_is_owned_until_it_is_released() {
    let mut claims = ApplyClaims::default();
    assert!(claims.claim("a", on("n", "x y")).is_empty());
    assert!(claims.claim("a", on("n", "x z")).is_empty(), "an instance may change its own claim");
    assert_eq!(claims.claim("b", on("n", "y z")), keys("z"));
    assert!(claims.claim("c", on("other", "z")).is_empty());
    claims.release("a");
    assert!(claims.claim("b", on("n", "z")).is_empty());
}

#[test]
fn two_names_of_one_boot_are_one_machine_in_an_apply_also_after_a_reboot() {
    let boot = |node: &str, boot: &str, names: &str| Holding {
        site: site(node).with_boot(Some(boot.into())),
        keys: keys(names),
    };
    let mut claims = ApplyClaims::default();
    claims.claim("a", boot("10.0.0.5", "1", "x"));
    assert!(claims.claim("b", boot("gpu-2", "2", "x")).is_empty());
    claims.booted("1", "3");
    assert_eq!(claims.claim("c", boot("gpu-1", "3", "x")), keys("x"));
}
