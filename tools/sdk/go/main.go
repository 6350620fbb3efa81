// Command steps takes the steps by openapi-generator's client for Go, which the check generates into the folder parley.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"steps/parley"
)

const attempts = 8 // the limited key may ask five times a minute

var next = regexp.MustCompile(`<([^>]*)>; rel="next"`)

// steps holds what one step leaves to the next.
type steps struct {
	api                        *parley.APIClient
	agent, model, conversation string
}

// step returns `yes` when the generated code did it and `hand` when it had to be helped.
type step struct {
	name string
	take func() (string, error)
}

func main() {
	configuration := parley.NewConfiguration()
	configuration.Servers = parley.ServerConfigurations{{URL: os.Getenv("PARLEY_URL")}}
	s := &steps{api: parley.NewAPIClient(configuration)}
	for _, each := range []step{
		{"agent", s.createAgent}, {"conversation", s.converse}, {"stream", s.stream}, {"pages", s.pages}, {"401", s.unauthorized},
		{"402", s.poor}, {"404", s.missing}, {"429", s.tooMany}, {"upload", s.upload},
	} {
		how, err := each.take()
		if err != nil {
			log.Fatalf("%s: %v", each.name, err)
		}
		fmt.Println("step", each.name, how)
	}
}

func withKey(key string) context.Context {
	return context.WithValue(context.Background(), parley.ContextAccessToken, key)
}

func withSetting(name string) context.Context { return withKey(os.Getenv(name)) }

func (s *steps) createAgent() (string, error) {
	body := parley.NewAgentCreate("Ada")
	body.SetPersonalityPrompt("Brief")
	made, response, err := s.api.CharactersAPI.CreateAgent(withSetting("PARLEY_KEY")).AgentCreate(*body).Execute()
	if err != nil || response.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("create: %v, %w", response, err)
	}
	s.agent = made.Id
	return "yes", nil
}

func (s *steps) begin(title string) (string, error) {
	body := parley.NewConversationCreate(title, s.model)
	body.SetAgentId(s.agent)
	made, _, err := s.api.CharactersAPI.CreateConversation(withSetting("PARLEY_KEY")).ConversationCreate(*body).Execute()
	if err != nil {
		return "", err
	}
	return made.Id, nil
}

func (s *steps) converse() (string, error) {
	models, _, err := s.api.CharactersAPI.ListModels(withSetting("PARLEY_KEY")).Type_("llm").Execute()
	if err != nil || len(models) == 0 {
		return "", fmt.Errorf("%d models: %w", len(models), err)
	}
	s.model = models[0].Id
	if s.conversation, err = s.begin("Go"); err != nil {
		return "", err
	}
	body := parley.NewMessageSend("Hello from Go")
	answer, _, err := s.api.CharactersAPI.SendMessage(withSetting("PARLEY_KEY"), s.conversation).MessageSend(*body).Execute()
	if err != nil || answer.Role != "agent" {
		return "", fmt.Errorf("answer %v: %w", answer, err)
	}
	return "yes", nil
}

// request makes a request that no generated method can make and returns its answer, if it succeeded.
func (s *steps) request(path, contentType string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, os.Getenv("PARLEY_URL")+path, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("PARLEY_KEY"))
	request.Header.Set("Content-Type", contentType)
	response, err := s.api.GetConfig().HTTPClient.Do(request)
	if err == nil && response.StatusCode >= 300 {
		_ = response.Body.Close()
		return nil, errors.New(response.Status)
	}
	return response, err
}

// stream reads the answer itself: the generated method reads it to its end and then refuses its media type. The types of the single
// events are right; their union does not look at what `event` says and finds that several fit, so each is read by its name.
func (s *steps) stream() (string, error) {
	body := parley.NewMessageSend("Hello from a stream")
	body.SetStream(true)
	raw, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	response, err := s.request("/api/v1/conversations/"+s.conversation+"/messages", "application/json", bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var text, whole, name string
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if after, found := strings.CutPrefix(lines.Text(), "event: "); found {
			name = after
		}
		data, found := strings.CutPrefix(lines.Text(), "data: ")
		if !found {
			continue
		}
		event := fmt.Appendf(nil, `{"event":%q,"data":%s}`, name, data)
		switch name {
		case "delta":
			var delta parley.MessageDeltaEvent
			err = json.Unmarshal(event, &delta)
			text += delta.Data.Content
		case "message":
			var final parley.MessageFinalEvent
			err = json.Unmarshal(event, &final)
			whole = final.Data.Content
		}
		if err != nil {
			return "", err
		}
	}
	if text != whole || !strings.Contains(whole, "Hello from a stream") {
		return "", fmt.Errorf("the deltas are %q, the message is %q", text, whole)
	}
	return "hand", nil
}

func (s *steps) pages() (string, error) {
	begun := map[string]bool{}
	for _, title := range []string{"One", "Two", "Three"} {
		id, err := s.begin(title)
		if err != nil {
			return "", err
		}
		begun[id] = true
	}
	for page := s.api.CharactersAPI.ListConversations(withSetting("PARLEY_KEY")).Limit(2); ; {
		listed, response, err := page.Execute()
		if err != nil || len(listed) > 2 {
			return "", fmt.Errorf("%d on a page: %w", len(listed), err)
		}
		for _, each := range listed {
			delete(begun, each.Id)
		}
		link := next.FindStringSubmatch(response.Header.Get("Link"))
		if link == nil {
			break
		}
		address, err := url.Parse(link[1])
		if err != nil {
			return "", err
		}
		page = page.Cursor(address.Query().Get("cursor"))
	}
	if len(begun) > 0 {
		return "", fmt.Errorf("not listed: %v", begun)
	}
	return "yes", nil
}

// refused checks the status of a refusal and returns the error's typed body.
func refused[T any](status int, response *http.Response, err error) (T, error) {
	var typed parley.GenericOpenAPIError
	var pointer *parley.GenericOpenAPIError
	var none T
	if errors.As(err, &pointer) {
		typed = *pointer
	} else if !errors.As(err, &typed) {
		return none, fmt.Errorf("not refused: %w", err)
	}
	if response.StatusCode != status {
		return none, fmt.Errorf("status %d, want %d", response.StatusCode, status)
	}
	body, is := typed.Model().(T)
	if !is {
		return none, fmt.Errorf("the error is a %T", typed.Model())
	}
	return body, nil
}

func (s *steps) unauthorized() (string, error) {
	_, response, err := s.api.ProjectsAPI.ListProjects(withKey("nobody")).Execute()
	body, err := refused[parley.ProjectsError](http.StatusUnauthorized, response, err)
	if err == nil && body.Data.Message == "" {
		err = errors.New("the error has no text")
	}
	return "yes", err
}

func (s *steps) poor() (string, error) {
	body := parley.NewCompletionRequest([]parley.PromptMessage{*parley.NewPromptMessage("user", "Hello")}, s.model)
	_, response, err := s.api.CharactersAPI.CreateCompletion(withSetting("PARLEY_POOR_KEY")).CompletionRequest(*body).Execute()
	return told(http.StatusPaymentRequired, response, err)
}

func (s *steps) missing() (string, error) {
	_, response, err := s.api.CharactersAPI.GetAgent(withSetting("PARLEY_KEY"), "nobody").Execute()
	return told(http.StatusNotFound, response, err)
}

func told(status int, response *http.Response, err error) (string, error) {
	body, err := refused[parley.CharactersError](status, response, err)
	if err == nil && body.Error == "" {
		err = errors.New("the error has no text")
	}
	return "yes", err
}

func (s *steps) tooMany() (string, error) {
	for range attempts {
		_, response, err := s.api.CharactersAPI.ListModels(withSetting("PARLEY_LIMITED_KEY")).Type_("llm").Execute()
		if err == nil {
			continue
		}
		if wait, bad := strconv.Atoi(response.Header.Get("Retry-After")); bad != nil || wait < 1 {
			return "", fmt.Errorf("Retry-After is %q", response.Header.Get("Retry-After"))
		}
		return told(http.StatusTooManyRequests, response, err)
	}
	return "", errors.New("nothing was refused")
}

// upload sends the form itself: an operation that takes JSON or a form gets a JSON method only.
func (s *steps) upload() (string, error) {
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	part, err := writer.CreateFormFile("file", "dogs.txt")
	if err != nil {
		return "", err
	}
	_, wrote := io.WriteString(part, "Dogs are welcome on deck.")
	if err := errors.Join(wrote, writer.WriteField("project_name", "Harbour"), writer.Close()); err != nil {
		return "", err
	}
	response, err := s.request("/api/v1/projects", writer.FormDataContentType(), &form)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var made parley.ProjectAnswer
	if err := json.NewDecoder(response.Body).Decode(&made); err != nil {
		return "", err
	}
	listed, _, err := s.api.ProjectsAPI.ListProjectPages(withSetting("PARLEY_KEY"), made.Data.Id).Execute()
	if err != nil {
		return "", err
	}
	pages := listed.Data.Pages.Data
	if len(pages) != 1 || pages[0].GetFilename() != "dogs.txt" {
		return "", fmt.Errorf("pages: %v", pages)
	}
	return "hand", nil
}
