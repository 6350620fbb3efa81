import dev.parley.ApiClient;
import dev.parley.ApiException;
import dev.parley.ApiResponse;
import dev.parley.api.CharactersApi;
import dev.parley.api.ProjectsApi;
import dev.parley.model.Agent;
import dev.parley.model.AgentCreate;
import dev.parley.model.CharactersError;
import dev.parley.model.CompletionRequest;
import dev.parley.model.Conversation;
import dev.parley.model.ConversationCreate;
import dev.parley.model.Message;
import dev.parley.model.MessageDeltaEvent;
import dev.parley.model.MessageFinalEvent;
import dev.parley.model.MessageSend;
import dev.parley.model.MessageStreamEvent;
import dev.parley.model.ProjectAnswer;
import dev.parley.model.ProjectPage;
import dev.parley.model.ProjectsError;
import dev.parley.model.PromptMessage;
import java.io.BufferedReader;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import okhttp3.Response;

/** The steps by openapi-generator's client for Java, library okhttp-gson. */
public final class Steps {
  private static final int ATTEMPTS = 8; // the limited key may ask five times a minute
  private static final Pattern NEXT = Pattern.compile("<[^>]*[?&]cursor=([^&>]*)[^>]*>; rel=\"next\"");

  private final CharactersApi characters = new CharactersApi(withKey("PARLEY_KEY"));
  private final ProjectsApi projects = new ProjectsApi(withKey("PARLEY_KEY"));
  private String agent;
  private String model;
  private String conversation;

  /** A step returns `yes` when the generated code did it, `hand` when it had to be helped. */
  private interface Step {
    String take() throws Exception;
  }

  public static void main(String[] args) throws Exception {
    Steps steps = new Steps();
    pass("agent", steps::createAgent);
    pass("conversation", steps::converse);
    pass("stream", steps::stream);
    pass("pages", steps::pages);
    pass("401", steps::unauthorized);
    pass("402", steps::poor);
    pass("404", steps::missing);
    pass("429", steps::tooMany);
    pass("upload", steps::upload);
    System.exit(0); // OkHttp's threads would live on for a minute
  }

  private static void pass(String name, Step step) throws Exception {
    System.out.println("step " + name + " " + step.take());
  }

  private static ApiClient withKey(String setting) {
    return withToken(System.getenv(setting));
  }

  private static ApiClient withToken(String token) {
    ApiClient client = new ApiClient();
    client.setBasePath(System.getenv("PARLEY_URL"));
    client.setBearerToken(token);
    return client;
  }

  private static void expect(String what, Object got, Object want) {
    if (!want.equals(got)) {
      throw new AssertionError(what + ": got " + got + ", want " + want);
    }
  }

  private String createAgent() throws ApiException {
    ApiResponse<Agent> made = characters.createAgentWithHttpInfo(new AgentCreate().name("Ada").personalityPrompt("Brief"), null, null);
    expect("status", made.getStatusCode(), 201);
    agent = made.getData().getId();
    return "yes";
  }

  private String converse() throws ApiException {
    model = characters.listModels("llm", null, null).get(0).getId();
    conversation = begin("Java").getId();
    Message answer = characters.sendMessage(conversation, new MessageSend().content("Hello from Java"), null);
    expect("role", answer.getRole(), Message.RoleEnum.AGENT);
    return "yes";
  }

  private Conversation begin(String title) throws ApiException {
    return characters.createConversation(new ConversationCreate().title(title).llmId(model).agentId(agent), null);
  }

  /** The generated call is run by OkHttp; what is left to do is to cut the answer into events, which the document types. */
  private String stream() throws Exception {
    MessageSend body = new MessageSend().content("Hello from a stream").stream(true);
    StringBuilder text = new StringBuilder();
    String whole = "";
    try (Response response = characters.sendMessageCall(conversation, body, null, null).execute();
        BufferedReader lines = new BufferedReader(response.body().charStream())) {
      String name = "";
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith("event: ")) {
          name = line.substring(7);
        }
        if (!line.startsWith("data: ")) {
          continue;
        }
        Object event = MessageStreamEvent.fromJson("{\"event\":\"" + name + "\",\"data\":" + line.substring(6) + "}").getActualInstance();
        if (event instanceof MessageDeltaEvent) {
          text.append(((MessageDeltaEvent) event).getData().getContent());
        }
        if (event instanceof MessageFinalEvent) {
          whole = ((MessageFinalEvent) event).getData().getContent();
        }
      }
    }
    expect("deltas", text.toString(), whole);
    expect("what was said is repeated", whole.contains("Hello from a stream"), true);
    return "hand";
  }

  private String pages() throws ApiException {
    Set<String> begun = new HashSet<>();
    for (String title : List.of("One", "Two", "Three")) {
      begun.add(begin(title).getId());
    }
    String cursor = null;
    do {
      ApiResponse<List<Conversation>> page = characters.listConversationsWithHttpInfo(cursor, 2);
      page.getData().forEach(each -> begun.remove(each.getId()));
      cursor = nextCursor(page.getHeaders());
    } while (cursor != null);
    expect("not listed", begun, Set.of());
    return "yes";
  }

  private static String nextCursor(Map<String, List<String>> headers) {
    for (Map.Entry<String, List<String>> header : headers.entrySet()) {
      Matcher next = NEXT.matcher(String.join(", ", header.getValue()));
      if (header.getKey().equalsIgnoreCase("Link") && next.find()) {
        return next.group(1);
      }
    }
    return null;
  }

  private String unauthorized() throws Exception {
    ApiException refused = refused(401, () -> new ProjectsApi(withToken("nobody")).listProjects(null, null, null, null, null, null).toJson());
    expect("has a text", ProjectsError.fromJson(refused.getResponseBody()).getData().getMessage().isEmpty(), false);
    return "hand";
  }

  private String poor() throws Exception {
    CompletionRequest body = new CompletionRequest().llmId(model);
    body.addMessagesItem(new PromptMessage().role(PromptMessage.RoleEnum.USER).content("Hello"));
    text(refused(402, () -> new CharactersApi(withKey("PARLEY_POOR_KEY")).createCompletion(body, null).toJson()));
    return "hand";
  }

  private String missing() throws Exception {
    text(refused(404, () -> characters.getAgent("nobody").toJson()));
    return "hand";
  }

  private String tooMany() throws Exception {
    CharactersApi limited = new CharactersApi(withKey("PARLEY_LIMITED_KEY"));
    ApiException refused = refused(429, () -> {
      for (int i = 0; i < ATTEMPTS; i++) {
        limited.listModels("llm", null, null);
      }
      return "";
    });
    text(refused);
    expect("Retry-After", Integer.parseInt(header(refused, "Retry-After")) > 0, true);
    return "hand";
  }

  private static String header(ApiException refused, String name) {
    return refused.getResponseHeaders().entrySet().stream().filter(each -> each.getKey().equalsIgnoreCase(name)).findFirst().orElseThrow().getValue().get(0);
  }

  private static ApiException refused(int status, Step step) throws Exception {
    try {
      step.take();
    } catch (ApiException refused) {
      expect("status", refused.getCode(), status);
      return refused;
    }
    throw new AssertionError("not refused with " + status);
  }

  /** The exception carries the text of the body alone; the class of the error is generated, and reading it is left to the caller. */
  private static void text(ApiException refused) throws Exception {
    expect("has a text", CharactersError.fromJson(refused.getResponseBody()).getError().isEmpty(), false);
  }

  /** An operation that takes JSON or a form gets a JSON method only, so the form is sent by the client below it. */
  private String upload() throws Exception {
    ApiClient client = projects.getApiClient();
    File file = Files.write(Path.of(System.getenv("PARLEY_FOLDER"), "dogs.txt"), "Dogs are welcome on deck.".getBytes()).toFile();
    Map<String, Object> form = new HashMap<>(Map.of("project_name", "Harbour", "file", file));
    Map<String, String> headers = new HashMap<>(Map.of("Accept", "application/json", "Content-Type", "multipart/form-data"));
    ApiResponse<ProjectAnswer> made = client.execute(
        client.buildCall(null, "/api/v1/projects", "POST", new ArrayList<>(), new ArrayList<>(), null, headers, new HashMap<>(), form, new String[] {"bearerKey"}, null),
        ProjectAnswer.class);
    List<ProjectPage> pages = projects.listProjectPages(made.getData().getData().getId(), null, null, null, null, null).getData().getPages().getData();
    expect("files", pages.stream().map(ProjectPage::getFilename).toList(), List.of("dogs.txt"));
    return "hand";
  }
}
