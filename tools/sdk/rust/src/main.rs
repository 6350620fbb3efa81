//! The steps by openapi-generator's client for Rust, library reqwest.

use std::collections::HashSet;
use std::env;

use parley::apis::characters_api as characters;
use parley::apis::characters_api::{CreateCompletionError, GetAgentError, ListModelsError};
use parley::apis::configuration::Configuration;
use parley::apis::projects_api as projects;
use parley::apis::projects_api::ListProjectsError;
use parley::apis::Error;
use parley::models;

type Outcome = Result<&'static str, Box<dyn std::error::Error>>;

const ATTEMPTS: usize = 8; // the limited key may ask five times a minute

struct Steps {
    configuration: Configuration,
    agent: String,
    model: String,
    conversation: String,
}

fn with_key(key: &str) -> Configuration {
    let mut configuration = Configuration::new();
    configuration.base_path = env::var("PARLEY_URL").expect("PARLEY_URL");
    configuration.bearer_access_token = Some(key.to_owned());
    configuration
}

fn with_setting(name: &str) -> Configuration {
    with_key(&env::var(name).expect("a key"))
}

/// Says that a step passed: `yes` when the generated code did it, `hand` when it had to be helped, `part` when something cannot be had.
fn pass(name: &str, how: Outcome) -> Result<(), Box<dyn std::error::Error>> {
    println!("step {name} {}", how?);
    Ok(())
}

impl Steps {
    async fn create_agent(&mut self) -> Outcome {
        let mut body = models::AgentCreate::new("Ada".to_owned());
        body.personality_prompt = Some("Brief".to_owned());
        self.agent = characters::create_agent(&self.configuration, body, None, None).await?.id;
        Ok("yes")
    }

    async fn begin(&self, title: &str) -> Result<String, Box<dyn std::error::Error>> {
        let mut body = models::ConversationCreate::new(title.to_owned(), self.model.clone());
        body.agent_id = Some(Some(self.agent.clone()));
        Ok(characters::create_conversation(&self.configuration, body, None).await?.id)
    }

    async fn converse(&mut self) -> Outcome {
        self.model = characters::list_models(&self.configuration, "llm", None, None).await?.remove(0).id;
        self.conversation = self.begin("Rust").await?;
        let body = models::MessageSend::new("Hello from Rust".to_owned());
        let answer = characters::send_message(&self.configuration, &self.conversation, body, None).await?;
        assert_eq!(answer.role, models::message::Role::Agent);
        Ok("yes")
    }

    /// Makes a request that no generated function can make, with what the configuration holds.
    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let token = self.configuration.bearer_access_token.as_deref().unwrap_or_default();
        self.configuration.client.request(method, format!("{}{path}", self.configuration.base_path)).bearer_auth(token)
    }

    /// The generated function takes JSON answers only. The types of the single events are right; their union reads `event` and
    /// then misses it in the branch, so each is read by its name.
    async fn stream(&self) -> Outcome {
        let mut body = models::MessageSend::new("Hello from a stream".to_owned());
        body.stream = Some(true);
        let path = format!("/api/v1/conversations/{}/messages", self.conversation);
        let request = self.request(reqwest::Method::POST, &path).header("Content-Type", "application/json");
        let mut response = request.body(serde_json::to_string(&body)?).send().await?.error_for_status()?;
        let (mut buffer, mut text, mut whole) = (Vec::new(), String::new(), String::new());
        while let Some(bytes) = response.chunk().await? {
            buffer.extend_from_slice(&bytes);
            while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = buffer.drain(..end + 2).collect();
                let (name, data) = event(std::str::from_utf8(&block)?);
                let object = format!("{{\"event\":\"{name}\",\"data\":{data}}}");
                match name {
                    "delta" => text += &serde_json::from_str::<models::MessageDeltaEvent>(&object)?.data.content,
                    "message" => whole = serde_json::from_str::<models::MessageFinalEvent>(&object)?.data.content,
                    _ => {}
                }
            }
        }
        assert_eq!(text, whole);
        assert!(whole.contains("Hello from a stream"));
        Ok("hand")
    }

    /// The generated function returns the items without the headers, where the next page is named.
    async fn pages(&self) -> Outcome {
        let mut begun = HashSet::new();
        for title in ["One", "Two", "Three"] {
            begun.insert(self.begin(title).await?);
        }
        let mut path = "/api/v1/conversations?limit=2".to_owned();
        loop {
            let response = self.request(reqwest::Method::GET, &path).send().await?.error_for_status()?;
            let link = response.headers().get("Link").map(|value| value.to_str().unwrap_or_default().to_owned());
            let page: Vec<models::Conversation> = serde_json::from_str(&response.text().await?)?;
            for each in page {
                begun.remove(&each.id);
            }
            match link.as_deref().and_then(|link| link.strip_prefix('<')?.split('>').next().map(str::to_owned)) {
                Some(next) => path = next,
                None => break,
            }
        }
        assert!(begun.is_empty(), "not listed: {begun:?}");
        Ok("hand")
    }

    async fn unauthorized(&self) -> Outcome {
        match projects::list_projects(&with_key("nobody"), None, None, None, None, None, None).await {
            Err(Error::ResponseError(refused)) => {
                assert_eq!(refused.status.as_u16(), 401);
                // The enum is untagged and every status has the same shape, so the first variant is the one that is read.
                assert!(matches!(refused.entity, Some(ListProjectsError::Status400(text)) if !text.data.message.is_empty()));
                Ok("yes")
            }
            other => Err(format!("not refused with 401: {other:?}").into()),
        }
    }

    async fn poor(&self) -> Outcome {
        let message = models::PromptMessage::new(models::prompt_message::Role::User, "Hello".to_owned());
        let body = models::CompletionRequest::new(vec![message], self.model.clone());
        match characters::create_completion(&with_setting("PARLEY_POOR_KEY"), body, None).await {
            Err(Error::ResponseError(refused)) => {
                assert_eq!(refused.status.as_u16(), 402);
                assert!(matches!(refused.entity, Some(CreateCompletionError::Status400(text)) if !text.error.is_empty()));
                Ok("yes")
            }
            other => Err(format!("not refused with 402: {other:?}").into()),
        }
    }

    async fn missing(&self) -> Outcome {
        match characters::get_agent(&self.configuration, "nobody").await {
            Err(Error::ResponseError(refused)) => {
                assert_eq!(refused.status.as_u16(), 404);
                assert!(matches!(refused.entity, Some(GetAgentError::Status400(text)) if !text.error.is_empty()));
                Ok("yes")
            }
            other => Err(format!("not refused with 404: {other:?}").into()),
        }
    }

    /// What is refused is told with its status and text; the headers, and with them `Retry-After`, cannot be had.
    async fn too_many(&self) -> Outcome {
        let limited = with_setting("PARLEY_LIMITED_KEY");
        for _ in 0..ATTEMPTS {
            match characters::list_models(&limited, "llm", None, None).await {
                Ok(_) => {}
                Err(Error::ResponseError(refused)) => {
                    assert_eq!(refused.status.as_u16(), 429);
                    assert!(matches!(refused.entity, Some(ListModelsError::Status400(text)) if !text.error.is_empty()));
                    return Ok("part");
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err("nothing was refused".into())
    }

    /// An operation that takes JSON or a form gets a JSON function only.
    async fn upload(&self) -> Outcome {
        let file = reqwest::multipart::Part::bytes(b"Dogs are welcome on deck.".as_slice()).file_name("dogs.txt").mime_str("text/plain")?;
        let form = reqwest::multipart::Form::new().text("project_name", "Harbour").part("file", file);
        let response = self.request(reqwest::Method::POST, "/api/v1/projects").multipart(form).send().await?.error_for_status()?;
        let made: models::ProjectAnswer = serde_json::from_str(&response.text().await?)?;
        let listed = projects::list_project_pages(&self.configuration, made.data.id, None, None, None, None, None).await?;
        let names: Vec<_> = listed.data.pages.data.into_iter().map(|page| page.filename).collect();
        assert_eq!(names, [Some("dogs.txt".to_owned())]);
        Ok("hand")
    }
}

/// Reads the name and the data of an event.
fn event(block: &str) -> (&str, &str) {
    let field = |name| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    (field("event: "), field("data: "))
}

async fn steps() -> Result<(), Box<dyn std::error::Error>> {
    let mut steps = Steps { configuration: with_setting("PARLEY_KEY"), agent: String::new(), model: String::new(), conversation: String::new() };
    pass("agent", steps.create_agent().await)?;
    pass("conversation", steps.converse().await)?;
    pass("stream", steps.stream().await)?;
    pass("pages", steps.pages().await)?;
    pass("401", steps.unauthorized().await)?;
    pass("402", steps.poor().await)?;
    pass("404", steps.missing().await)?;
    pass("429", steps.too_many().await)?;
    pass("upload", steps.upload().await)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(steps())
}
