//! A resource that breaks rules. Without a `fault` it keeps them all.

use plugin::{
    Applied, ApplyRequest, Attribute, Context, DeleteRequest, Diagnostics, Imported, Mode, Nesting, Path, PlanRequest,
    Planned, Private, ReadRequest, Resource, Schema, Type, Value, async_trait,
};

use crate::gate;

pub(crate) struct Thing;

fn fault(value: &Value) -> Option<&str> {
    value.get("fault").string().known()
}

fn gate_of(value: &Value) -> Option<&str> {
    value.get("gate").string().known()
}

/// The planned object with everything known that was not.
fn made(planned: &Value) -> Value {
    let mut state = planned.clone();
    if state.get("out").is_unknown() {
        state.set("out", "made".into());
    }
    if state.get("blob").is_unknown() {
        let size = state.get("blob_size").integer().known().and_then(|size| usize::try_from(size).ok());
        state.set("blob", size.map(|size| "x".repeat(size)).into());
    }
    if let Value::List(parts) = state.get("parts").clone() {
        let known = |mut part: Value| {
            if part.get("serial").is_unknown() {
                part.set("serial", "s".into());
            }
            part
        };
        state.set("parts", Value::List(parts.into_iter().map(known).collect()));
    }
    state
}

#[async_trait]
impl Resource for Thing {
    fn type_name(&self) -> &'static str {
        "faulty_thing"
    }

    fn schema(&self) -> Schema {
        let mut secret = Attribute::optional("secret", Type::String);
        secret.write_only = true;
        Schema {
            version: 2,
            description: "A thing.".to_owned(),
            attributes: vec![
                Attribute::required("name", Type::String).describe("Its name."),
                Attribute::optional("size", Type::Number),
                Attribute::optional("zone", Type::String).replaces(),
                Attribute::optional("mode", Type::String).default_to("plain"),
                Attribute::optional("tags", Type::map(Type::String)),
                Attribute::nested(
                    "parts",
                    Mode::Optional,
                    Nesting::List,
                    vec![Attribute::required("label", Type::String), Attribute::computed("serial", Type::String)],
                ),
                secret,
                Attribute::optional("old", Type::String).deprecated("Use `mode`."),
                Attribute::optional("fault", Type::String).describe("The rule to break."),
                Attribute::optional("gate", Type::String).describe("A socket on which calls wait."),
                Attribute::optional("blob_size", Type::Number),
                Attribute::computed("out", Type::String),
                Attribute::computed("blob", Type::String),
            ],
        }
    }

    async fn validate(&self, _context: &Context, config: &Value, diagnostics: &mut Diagnostics) {
        match fault(config) {
            Some("validate panics") => panic!("validate was told to"),
            Some("validate warns") => {
                diagnostics.warn(Path::attribute("fault"), "A warning", "It was told to warn.");
            }
            _ => {}
        }
    }

    async fn plan(&self, context: &Context, request: PlanRequest, diagnostics: &mut Diagnostics) -> Planned {
        let mut state = request.planned.clone();
        let mut replace = Vec::new();
        match fault(&request.config) {
            Some("plan panics") => panic!("plan was told to"),
            Some("plan fails") => diagnostics.error(Path::attribute("name"), "Cannot plan", "It was told to fail."),
            Some("plan: other config") => state.set("name", "other".into()),
            Some("plan: not computed") => state.set("size", 5.into()),
            Some("plan: absent") => state = Value::Null,
            Some("plan: attribute missing") => {
                if let Value::Object(attributes) = &mut state {
                    attributes.remove("out");
                }
            }
            Some("plan: write-only") => state.set("secret", "shown".into()),
            Some("plan: unknown for configured") => state.set("name", Value::unknown()),
            Some("plan: wrong type") => state.set("out", true.into()),
            Some("plan: fewer parts") => state.set("parts", Value::List(Vec::new())),
            Some("plan: replace nowhere") => replace.push(Path::attribute("nowhere")),
            Some("wait in plan") => {
                gate::stopped_at(gate_of(&request.config), "plan", context).await;
            }
            _ => {}
        }
        Planned { state, replace, private: request.private }
    }

    async fn plan_destroy(&self, _context: &Context, request: DeleteRequest, diagnostics: &mut Diagnostics) {
        if fault(&request.prior) == Some("plan destroy warns") {
            diagnostics.warn(Path::root(), "This wipes the thing", "It was told to warn.");
        }
    }

    async fn read(&self, context: &Context, request: ReadRequest, diagnostics: &mut Diagnostics) -> Option<Applied> {
        let mut state = request.state.clone();
        match fault(&request.state) {
            Some("read panics") => panic!("read was told to"),
            Some("read fails") => {
                diagnostics.error(Path::root(), "Cannot read", "It was told to fail.");
                return None;
            }
            Some("read: gone") => return None,
            Some("read: unknown") => state.set("out", Value::unknown()),
            Some("read: wrong type") => state.set("out", true.into()),
            Some("read: write-only") => state.set("secret", "shown".into()),
            Some("read: drift") => state.set("out", "drifted".into()),
            Some("wait in read") => {
                gate::stopped_at(gate_of(&request.state), "read", context).await;
            }
            _ => {}
        }
        Some(Applied { state, private: request.private })
    }

    async fn create(&self, context: &Context, request: ApplyRequest, diagnostics: &mut Diagnostics) -> Option<Applied> {
        let mut state = made(&request.planned);
        let private = Private(b"{\"made\":true}".to_vec());
        if gate::stopped_at(gate_of(&request.config), "create", context).await {
            diagnostics.error(Path::root(), "Stopped", "The thing is half made.");
            state.set("out", "half".into());
            return Some(Applied { state, private });
        }
        match fault(&request.config) {
            Some("create panics") => panic!("create was told to"),
            Some("create fails") => {
                diagnostics.error(Path::attribute("name"), "Cannot create", "Nothing was made.");
                return None;
            }
            Some("create half") => {
                diagnostics.error(Path::attribute("name"), "Cannot create", "The thing is half made.");
                state.set("out", Value::unknown());
            }
            Some("create warns") => diagnostics.warn(Path::attribute("name"), "Made, but", "It was told to warn."),
            Some("create: nothing") => return None,
            Some("create: other value") => state.set("name", "other".into()),
            Some("create: unknown") => state.set("out", Value::unknown()),
            Some("create: wrong type") => state.set("out", true.into()),
            Some("create: write-only") => state.set("secret", "shown".into()),
            _ => {}
        }
        Some(Applied { state, private })
    }

    async fn update(&self, context: &Context, request: ApplyRequest, diagnostics: &mut Diagnostics) -> Applied {
        let mut state = made(&request.planned);
        gate::stopped_at(gate_of(&request.config), "update", context).await;
        match fault(&request.config) {
            Some("update panics") => panic!("update was told to"),
            Some("update fails") => {
                diagnostics.error(Path::attribute("size"), "Cannot update", "Nothing was changed.");
                return Applied { state: request.prior, private: request.private };
            }
            Some("update: other value") => state.set("size", 99.into()),
            _ => {}
        }
        Applied { state, private: request.private }
    }

    async fn delete(
        &self,
        context: &Context,
        request: DeleteRequest,
        diagnostics: &mut Diagnostics,
    ) -> Option<Applied> {
        gate::stopped_at(gate_of(&request.prior), "delete", context).await;
        match fault(&request.prior) {
            Some("delete panics") => panic!("delete was told to"),
            Some("delete fails") => {
                diagnostics.error(Path::root(), "Cannot delete", "It is still there.");
                None
            }
            Some("delete: left") => Some(Applied { state: request.prior, private: request.private }),
            _ => None,
        }
    }

    async fn import(&self, _context: &Context, id: &str, diagnostics: &mut Diagnostics) -> Option<Imported> {
        match id {
            "nothing" => None,
            "bad" => {
                diagnostics.error(Path::root(), "Not an id", "It was told to fail.");
                None
            }
            "unknown" => {
                Some(Applied { state: Value::object([("name", Value::unknown())]), private: Private::empty() })
            }
            id => Some(Applied {
                state: Value::object([("name", id.into()), ("mode", "plain".into()), ("out", "made".into())]),
                private: Private(b"{\"imported\":true}".to_vec()),
            }),
        }
    }

    fn upgrade(&self, version: i64, mut state: serde_json::Value) -> Result<serde_json::Value, String> {
        if version == 0 {
            return Err("Version 0 was never released.".to_owned());
        }
        state["name"] = state["title"].take();
        Ok(state)
    }
}
