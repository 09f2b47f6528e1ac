//! A registered resource, or template of resources.

use fluxbase_credential::Scope;
use fluxbase_protocol::push_string;
use fluxbase_register::{Sources, Template, resource_answer, sources};
use serde_json::{Map, Value};

use super::function::Form;
use super::{Row, Target, Variables, wrong_answer};
use crate::error::Error;
use crate::resources::{Contents, Read};

/// One registered resource.
#[derive(Debug)]
pub struct Resource {
    pub uri: String,
    name: String,
    title: String,
    description: String,
    mime_type: String,
    scopes: Vec<Scope>,
    template: Template,
    sources: Sources,
    pub(super) target: Target,
}

impl Resource {
    /// `None` when the URI is none, which registering refused.
    pub(super) fn new(row: &Row, target: Target) -> Option<Resource> {
        let uri = row.uri.clone()?;
        let template = Template::parse(&uri).ok()?;
        let complete = row.complete.as_deref().and_then(|text| sources(text, &template.variables()).ok());
        let form = target.function.as_ref().map(super::Function::form);
        let mime_type = row.mime_type.clone().unwrap_or_else(|| {
            match form {
                Ok(Form::Json) => "application/json",
                Ok(Form::Bytes) => "application/octet-stream",
                _ => "text/plain",
            }
            .to_owned()
        });
        Some(Resource {
            uri,
            name: row.name.clone(),
            title: row.title.clone(),
            description: row.description.clone(),
            mime_type,
            scopes: row.scopes(),
            template,
            sources: complete.unwrap_or_default(),
            target,
        })
    }

    /// Where the values come from that are offered for each variable; `None` when it has no such variable.
    pub fn sources(&self, variable: &str) -> Option<&Sources> {
        self.template.variables().contains(&variable).then_some(&self.sources)
    }

    pub(super) fn variables_of(&self, uri: &str) -> Option<Variables> {
        let found = self.template.variables_of(uri)?;
        Some(found.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// How much of a URI it names itself; one without variables names all of it.
    pub(super) fn fixed(&self) -> (bool, usize) {
        (!self.template.is_template(), self.template.fixed())
    }

    /// The resource as the registry shows every resource.
    pub fn as_resource(&self) -> crate::resources::Resource<'_> {
        crate::resources::Resource {
            uri: &self.uri,
            name: &self.name,
            title: &self.title,
            description: &self.description,
            mime_type: &self.mime_type,
            scopes: &self.scopes,
            read: Read::Registered(self),
        }
    }

    /// Its content; `None` when the function returns NULL: there is no such resource.
    pub fn read(&self, uri: &str, variables: &[(String, String)]) -> Result<Option<Contents>, Error> {
        let what = format!("the resource {}", self.uri);
        let function = self.target.usable(&what)?;
        let Some(with_variables) = function.takes_uri() else {
            return Err(wrong_answer(&what, WANTED));
        };
        let mut values = vec![("uri", uri.to_owned())];
        if with_variables {
            let variables: Map<String, Value> =
                variables.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            values.push(("variables", Value::Object(variables).to_string()));
        }
        let Some(answer) = function.call(values)? else { return Ok(None) };
        Ok(Some(match function.form() {
            Form::Bytes => {
                let mut contents = String::with_capacity(answer.len() + 256);
                contents.push_str(r#"[{"uri":"#);
                push_string(&mut contents, uri);
                contents.push_str(r#","mimeType":"#);
                push_string(&mut contents, &self.mime_type);
                contents.push_str(r#","blob":"#);
                push_string(&mut contents, &answer);
                contents.push_str("}]");
                Contents::Raw(contents)
            }
            Form::Json => match resource_answer(&answer).map_err(|why| wrong_answer(&what, &why))? {
                Some(contents) => Contents::Raw(contents),
                None => Contents::Text(answer),
            },
            _ => Contents::Text(answer),
        }))
    }
}

/// What the function of a resource looks like.
pub const WANTED: &str =
    "it must be function(uri text) or function(uri text, variables jsonb), and return text, jsonb or bytea.";
