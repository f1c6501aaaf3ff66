//! The kubelet of every node, as far as the API server asks one: `kubectl logs`. kwok plays the rest of it.
//!
//! kwok can serve logs too, from files, but a log that is followed never ends there.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use crate::api::Api;
use crate::logs::{Log, Wanted, log};
use crate::server::{Request, head, reply};

/// How often a log that is followed is looked at again.
const INTERVAL: Duration = Duration::from_millis(50);
const TEXT: &str = "text/plain";

/// Answers `/containerLogs/NAMESPACE/POD/CONTAINER`.
pub(crate) fn logs(api: &Api, request: &Request, to: &mut dyn Write) -> io::Result<()> {
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let ["containerLogs", namespace, name, container] = parts[..] else {
        return reply(to, 404, TEXT, format!("nothing is played at {}", request.path).as_bytes());
    };
    let wanted = wanted(request);
    let look = || -> io::Result<Log> {
        let pod = api.find(&format!("/api/v1/namespaces/{namespace}/pods/{name}")).map_err(io::Error::other)?;
        Ok(log(pod.as_ref(), name, container, wanted))
    };
    match look()? {
        Log::Refused(code, why) => reply(to, code, TEXT, why.as_bytes()),
        Log::Printed(text, more) => {
            head(to, 200, TEXT, None)?;
            to.write_all(text.as_bytes())?;
            to.flush()?;
            if wanted.follow && more { follow(text, look, to) } else { Ok(()) }
        }
    }
}

/// Goes on until the container or the pod has ended, or the caller hangs up.
fn follow(mut printed: String, look: impl Fn() -> io::Result<Log>, to: &mut dyn Write) -> io::Result<()> {
    loop {
        thread::sleep(INTERVAL);
        let Log::Printed(text, more) = look()? else { return Ok(()) };
        if let Some(news) = text.strip_prefix(&printed) {
            to.write_all(news.as_bytes())?;
            to.flush()?;
        }
        printed = text;
        if !more {
            return Ok(());
        }
    }
}

fn wanted(request: &Request) -> Wanted {
    let number = |name: &str| request.parameter(name).and_then(|text| text.parse().ok());
    let yes = |name: &str| request.parameter(name) == Some("true");
    Wanted {
        follow: yes("follow"),
        previous: yes("previous"),
        timestamps: yes("timestamps"),
        tail: number("tailLines"),
        limit: number("limitBytes"),
    }
}
