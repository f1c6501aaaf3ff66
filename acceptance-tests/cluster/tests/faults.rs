//! What a case can do to its own way to the API server, and who may do what.

use std::io::Read as _;
use std::net::TcpStream;

use anyhow::Result;
use cluster::{Cluster, Direction, Fault, Proxy};

/// One request, without the discovery that other commands begin with.
fn get(cluster: &Cluster, proxy: &Proxy) -> Result<cluster::Output> {
    cluster.kubectl_as(proxy.kubeconfig(), &["get", "--raw", "/readyz"])
}

#[test]
fn a_proxy_refuses_and_heals_and_nobody_else_notices() -> Result<()> {
    let cluster = Cluster::shared()?;
    let proxy = cluster.proxy()?;
    assert_eq!(get(cluster, &proxy)?.succeeded()?, "ok");
    for _ in 0..2 {
        proxy.refuse()?;
        proxy.refuse()?;
        let refused = get(cluster, &proxy)?.failed()?;
        assert!(refused.contains("connection to the server") || refused.contains("refused"), "{refused}");
        cluster.kubectl(&["get", "namespace", "default"])?.succeeded()?;
        proxy.heal()?;
        assert_eq!(get(cluster, &proxy)?.succeeded()?, "ok");
    }
    Ok(())
}

#[test]
fn a_proxy_breaks_a_connection_after_so_many_bytes_and_serves_the_next() -> Result<()> {
    let cluster = Cluster::shared()?;
    let proxy = cluster.proxy()?;
    for direction in [Direction::Requests, Direction::Answers] {
        proxy.cut_after(direction, 100);
        let before = proxy.connections();
        let broken = get(cluster, &proxy)?;
        assert!(broken.code != Some(0) || proxy.connections() > before + 1, "{broken:?}");
        assert_eq!(get(cluster, &proxy)?.succeeded()?, "ok");
    }
    proxy.refuse_after(Direction::Answers, 100);
    get(cluster, &proxy)?.failed()?;
    get(cluster, &proxy)?.failed()?;
    proxy.heal()?;
    assert_eq!(get(cluster, &proxy)?.succeeded()?, "ok");
    Ok(())
}

#[test]
fn a_connection_that_is_open_ends_when_it_is_cut() -> Result<()> {
    let cluster = Cluster::shared()?;
    let proxy = cluster.proxy()?;
    let mut open = TcpStream::connect(proxy.address())?;
    while proxy.connections() == 0 {
        std::thread::yield_now();
    }
    proxy.cut();
    assert!(matches!(open.read(&mut [0]), Ok(0) | Err(_)));
    assert_eq!(get(cluster, &proxy)?.succeeded()?, "ok");
    Ok(())
}

#[test]
fn a_proxy_holds_its_breath_until_it_heals() -> Result<()> {
    let cluster = Cluster::shared()?;
    let proxy = cluster.proxy()?;
    proxy.hold();
    let impatient = ["get", "--raw", "/readyz", "--request-timeout=1s"];
    let silent = cluster.kubectl_as(proxy.kubeconfig(), &impatient)?.failed()?;
    // client-go says it in different words at different moments.
    assert!(["timeout", "Timeout", "deadline"].iter().any(|word| silent.contains(word)), "{silent}");
    proxy.heal()?;
    assert_eq!(get(cluster, &proxy)?.succeeded()?, "ok");
    Ok(())
}

#[test]
fn a_user_may_do_what_a_role_allows_and_nothing_else() -> Result<()> {
    let cluster = Cluster::shared()?;
    let (user, group) = (cluster.unique("user"), cluster.unique("group"));
    let kubeconfig = cluster.user(&user, &["others", &group])?;
    let ask = ["get", "runtimeclasses"];
    let refused = cluster.kubectl_as(&kubeconfig, &ask)?.failed()?;
    assert!(refused.contains(&format!("User \"{user}\" cannot list resource \"runtimeclasses\"")), "{refused}");
    let role = cluster.unique("role");
    cluster.kubectl(&["create", "clusterrole", &role, "--verb=list", "--resource=runtimeclasses"])?.succeeded()?;
    let (role, group) = (format!("--clusterrole={role}"), format!("--group={group}"));
    cluster.kubectl(&["create", "clusterrolebinding", &user, &role, &group])?.succeeded()?;
    // Roles reach the authorizer through a watch.
    cluster.until("the role is in force", || Ok((cluster.kubectl_as(&kubeconfig, &ask)?.code == Some(0)).then_some(())))
}

#[test]
fn a_front_answers_loses_and_counts_requests() -> Result<()> {
    let cluster = Cluster::shared()?;
    let front = cluster.front()?;
    let ask = |arguments: &[&str]| cluster.kubectl_as(front.kubeconfig(), arguments);
    front.next(1, "GET", "/readyz", Fault::Answer(500, None));
    assert!(ask(&["get", "--raw", "/readyz"])?.failed()?.contains("leader changed"));
    assert_eq!(ask(&["get", "--raw", "/readyz"])?.succeeded()?, "ok");
    // client-go waits as it was told to and asks again.
    front.next(1, "GET", "/readyz", Fault::Answer(429, Some(1)));
    assert_eq!(ask(&["get", "--raw", "/readyz"])?.succeeded()?, "ok");
    assert_eq!(front.requests(), ["GET /readyz"; 4]);

    let name = cluster.unique("lost");
    front.next(1, "POST", "/api/v1/namespaces", Fault::LoseAnswer);
    ask(&["create", "namespace", &name])?.failed()?;
    cluster.kubectl(&["get", "namespace", &name])?.succeeded()?;
    let other = cluster.unique("dropped");
    front.next(1, "POST", "/api/v1/namespaces", Fault::Drop);
    ask(&["create", "namespace", &other])?.failed()?;
    cluster.kubectl(&["get", "namespace", &other])?.failed()?;

    let first = other.clone();
    let meanwhile = move || {
        // Whoever is too late finds out below.
        let _ = Cluster::shared().map(|cluster| cluster.kubectl(&["create", "namespace", &first]));
    };
    front.next(1, "POST", "/api/v1/namespaces", Fault::Meanwhile(Box::new(meanwhile)));
    assert!(ask(&["create", "namespace", &other])?.failed()?.contains("already exists"));
    Ok(())
}
