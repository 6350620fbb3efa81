package apitest_test

// The examples of the seeds stand in testdata/seeds as they are printed, but
// for the line numbers that the page of seed 002 ran into its text, and the blank
// lines that end the events of seed 003. Everything else that had to be mended
// before an example could be sent is in this file, and nowhere else.

// repair replaces what a seed printed in an example's request. A repair whose
// printed text is not there fails the test.
type repair struct{ seed, example, printed, sent, reason string }

var repairs = []repair{
	{"001", "list chats", `https://api.flowgen.app`, hostPlaceholder, "this server"},
	{"001", "list chats", `<api-key>`, keyPlaceholder, "a key that exists"},
	{"001", "create chat", `https://api.flowgen.app`, hostPlaceholder, "this server"},
	{"001", "create chat", `<api-key>`, keyPlaceholder, "a key that exists"},
	{"001", "send message", `https://api.flowgen.app`, hostPlaceholder, "this server"},
	{"001", "send message", `<api-key>`, keyPlaceholder, "a key that exists"},
	{"001", "get chat", `https://api.flowgen.app`, hostPlaceholder, "this server"},
	{"001", "get chat", `<api-key>`, keyPlaceholder, "a key that exists"},
	{"001", "list messages", `https://api.flowgen.app`, hostPlaceholder, "this server"},
	{"001", "list messages", `<api-key>`, keyPlaceholder, "a key that exists"},
	{"001", "send input", `https://api.flowgen.app`, hostPlaceholder, "this server"},
	{"001", "send input", `<api-key>`, keyPlaceholder, "a key that exists"},
	{"001", "delete chat", `https://api.flowgen.app`, hostPlaceholder, "this server"},
	{"001", "delete chat", `<api-key>`, keyPlaceholder, "a key that exists"},
	{"001", "create chat", keyPlaceholder + "'\n", keyPlaceholder + "' \\\n", "the page lost the continuation"},
	{"001", "create chat", "{ \\\n", "{\n", "a stray continuation within the quotes"},
	{"001", "create chat", "\"My Chatbot\", \\", "\"My Chatbot\",", "a stray continuation within the quotes"},
	{"001", "create chat", "\"flow\", \\", "\"flow\",", "a stray continuation within the quotes"},
	{"001", "create chat", "\"flow_id\", \\", "\"flow_id\"", "a stray continuation within the quotes, and a comma after the last member"},
	{"001", "list messages", keyPlaceholder + "'\n", keyPlaceholder + "' \\\n", "the page lost the continuation"},
	{"001", "list messages", "json' \\", "json'", "a continuation after the last argument"},
	{"002", "completions", ` // [Optional] Agent to use for the completion`, ``, "a comment is not JSON"},
	{"002", "create conversation", ` // [Optional] Agent to associate with conversation`, ``, "a comment is not JSON"},
	{"002", "create conversation", ` // [Optional] Initial messages for the conversation`, ``, "a comment is not JSON"},
	{"002", "send message", ` // [Optional] LLM to use (defaults to conversation's LLM)`, ``, "a comment is not JSON"},
	{"002", "send message", ` // [Optional] Include thought process in response`, ``, "a comment is not JSON"},
	{"002", "get conversation", `{id}`, `conv_123abc`, "the id of the response"},
	{"002", "list messages", `{conversation_id}`, `conv_123abc`, "the id of the other examples"},
	{"002", "send message", `{conversation_id}`, `conv_123abc`, "the id of the other examples"},
	{"002", "get agent", `{id}`, `agent_xyz789`, "the id of the response"},
	{"002", "create image", `  // [Optional] Link image to this conversation`, ``, "a comment is not JSON"},
	{"003", "chat", `your_api_key`, keyPlaceholder, "a key that exists"},
	{"003", "usage", `your_api_key`, keyPlaceholder, "a key that exists"},
	{"003", "sessions", `your_api_key`, keyPlaceholder, "a key that exists"},
	{"003", "curl", `-H "Authorization`, "curl " + hostPlaceholder + "/api/v1/chat \\\n-H \"Authorization", "the page lost the first line"},
	{"003", "curl", `$API_KEY`, keyPlaceholder, "a key that exists"},
	{"003", "fetch", `${'$'}API_KEY`, keyPlaceholder, "the page's own template marker; a key that exists"},
	{"003", "fetch", `'/api/v1/chat'`, `'` + hostPlaceholder + `/api/v1/chat'`, "a page of the same host"},
	{"004", "create agent", `https://app.customgpt.ai`, hostPlaceholder, "this server"},
	{"004", "create agent", `APIKey_Here`, keyPlaceholder, "a key that exists"},
	{"004", "create conversation", `https://app.customgpt.ai`, hostPlaceholder, "this server"},
	{"004", "create conversation", `APIKey_Here`, keyPlaceholder, "a key that exists"},
	{"004", "create conversation", "'content-type: application/json'\n", "'content-type: application/json' \\\n", "the page lost the continuation"},
	{"004", "send message", `https://app.customgpt.ai`, hostPlaceholder, "this server"},
	{"004", "send message", `API_key_Here`, keyPlaceholder, "a key that exists"},
}

const (
	keyPlaceholder  = "@KEY@"
	hostPlaceholder = "@HOST@"
)

// difference is what an answer may have other than the seed prints, by JSON
// pointer; * stands for any index. A rule that nothing needs fails the test.
type difference struct{ seed, example, pointer, kind, reason string }

const (
	otherValue = "value" // of the same type
	extra      = "extra" // a member that the seed does not print
	absent     = "absent"
)

var differences = []difference{
	{"002", "completions", "/id", otherValue, "minted"},
	{"002", "completions", "/content", otherValue, "the built-in model speaks"},
	{"002", "completions", "/created_at", otherValue, "now"},
	{"002", "create conversation", "/id", otherValue, "minted"},
	{"002", "create conversation", "/last_message_at", otherValue, "now"},
	{"002", "send message", "/id", otherValue, "minted"},
	{"002", "send message", "/content", otherValue, "the built-in model speaks"},
	{"002", "send message", "/created_at", otherValue, "now"},
	{"002", "create agent", "/id", otherValue, "minted"},
	{"002", "create agent", "/avatar_url", otherValue, "minted, on this server"},
	{"002", "create image", "/id", otherValue, "minted"},
	{"002", "create image", "/url", otherValue, "minted, on this server"},
	{"002", "create image", "/created_at", otherValue, "now"},
	{"002", "list images", "/data/0/url", otherValue, "minted, on this server"},
	{"002", "list images", "/data/*", extra, "a page of ten holds ten of 25; the page shows one"},
	{"002", "models", "/2", extra, "the built-in model is listed from the start"},
	{"003", "sessions", "/sessions/*/messages", extra, "include_all adds the messages (decisions)"},
	{"003", "usage", "/by_model/0", extra, "totals without a model that they come from cannot be"},
	{"004", "answer", "/data/id", otherValue, "minted"},
	{"004", "answer", "/data/created_at", otherValue, "now"},
	{"004", "answer", "/data/updated_at", otherValue, "now"},
	{"004", "answer", "/data/user_id", otherValue, "the account's"},
	{"004", "answer", "/data/openai_response", otherValue, "the built-in model speaks"},
	{"004", "answer", "/data/metadata/user_ip", otherValue, "the client's"},
	{"004", "stream message", "/id", otherValue, "minted"},
	{"004", "stream message", "/created_at", otherValue, "now"},
	{"004", "stream message", "/session_id", otherValue, "minted"},
}
