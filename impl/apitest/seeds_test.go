package apitest_test

import (
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/db"
	"parley/impl/core/model"
	"parley/impl/testkit"
)

// example is one example of a seed, repaired.
type example struct {
	method, path    string
	request, answer string // JSON, or events; "" without one
	text            string // all of it
}

// examples reads a seed's examples and repairs them.
func examples(t *testing.T, seed string) map[string]example {
	t.Helper()
	raw, err := os.ReadFile("testdata/seeds/" + seed + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]example{}
	for _, block := range strings.Split("\n"+string(raw), "\n=== ")[1:] {
		name, text, _ := strings.Cut(block, "\n")
		all[name] = parse(repaired(t, seed, name, text))
	}
	return all
}

func repaired(t *testing.T, seed, name, text string) string {
	t.Helper()
	for _, r := range repairs {
		if r.seed != seed || r.example != name {
			continue
		}
		if !strings.Contains(text, r.printed) {
			t.Errorf("needless repair of %s, %s: %q is not printed", seed, name, r.printed)
		}
		text = strings.Replace(text, r.printed, r.sent, 1)
	}
	return text
}

func parse(text string) example {
	e := example{text: text}
	head, rest, _ := strings.Cut(text, "\n")
	e.method, e.path, _ = strings.Cut(head, " ")
	request, answer, _ := strings.Cut(rest, "// Response\n")
	e.request = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(request), "// Request"))
	e.answer = strings.TrimSpace(answer)
	return e
}

// replay sends an example as printed and returns what came back.
func (x tenant) replay(t *testing.T, e example, status int) testkit.Response {
	t.Helper()
	fill := strings.NewReplacer(keyPlaceholder, x.key.Text, hostPlaceholder, x.server.URL)
	r := testkit.Request{Method: e.method, Path: fill.Replace(e.path), Key: x.key.Text}
	if strings.Contains(e.path+e.request, keyPlaceholder) {
		r.Key = "" // it is where the example has it
	}
	if e.request != "" {
		r.Body = fill.Replace(e.request)
	}
	return x.server.Do(t, r).Want(t, status)
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// seeded002 is an account in the state that the examples of seed 002 show.
func seeded002(t *testing.T) tenant {
	t.Helper()
	return seeded002With(t, plenty)
}

// seeded002With is seeded002 with credit in micro-units.
func seeded002With(t *testing.T, credit int64) tenant {
	t.Helper()
	s := testkit.Shared(t)
	x := tenant{Account: s.Account(t, testkit.Unlimited, credit), server: s}
	x.key = x.Key(t)
	x.Model(t, testkit.Priced(30_000, 60_000), func(m *db.Model) { m.ID, m.Name, m.Rank = "model_abc123", "GPT-4", 1 })
	x.Model(t, testkit.Priced(75_000, 150_000), func(m *db.Model) {
		m.ID, m.Name, m.ContextTokens, m.Rank = "model_def456", "Claude 3 Opus", 100_000, 2
	})
	x.Model(t, func(m *db.Model) { m.ID, m.Kind = "sd_model_456abc", model.KindSD })
	agentID, modelID := "agent_xyz789", "model_abc123"
	x.Agent(t, func(a *db.Agent) {
		a.ID, a.Name, a.AppearancePrompt = agentID, "Technical Advisor", "Professional, wearing glasses"
		a.PersonalityPrompt, a.Description = "Helpful and technically proficient", "A technical expert who can help with coding questions"
	})
	first := instant(t, "2023-09-01T12:00:00Z")
	x.Conversation(t, func(c *db.Conversation) {
		c.ID, c.Title, c.SystemPrompt = "conv_123abc", "AI Discussion", "You are a helpful assistant."
		c.ModelID, c.AgentID, c.CreatedAt, c.LastMessageAt = &modelID, &agentID, first, first
	},
		db.Message{ID: "msg_123abc", Role: "assistant", Content: "Hello, how can I help you today?", CreatedAt: first},
		db.Message{ID: "msg_456def", Role: "user", Content: "I'd like to learn about AI.", CreatedAt: first.Add(time.Minute)})
	x.Image(t, func(i *db.Image) {
		i.ID, i.Prompt, i.CreatedAt = "img_123abc", "A futuristic city with flying cars", first
	})
	for range 24 {
		x.Image(t)
	}
	return x
}

func TestSeed002IsReplayed(t *testing.T) {
	t.Parallel()
	status := map[string]int{"create conversation": http.StatusCreated, "create agent": http.StatusCreated, "send message": http.StatusCreated, "create image": http.StatusCreated}
	all := examples(t, "002")
	if len(all) != 12 {
		t.Errorf("%d examples, want 12", len(all))
	}
	for name, e := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := http.StatusOK
			if status[name] != 0 {
				want = status[name]
			}
			compareJSON(t, "002", name, e.answer, seeded002(t).replay(t, e, want).Body)
		})
	}
}

// The samples of seed 000 that are requests; tools/sdk/realtime runs its WebSocket sample itself.
func TestSeed000IsReplayed(t *testing.T) {
	t.Parallel()
	x, all := newTenant(t), examples(t, "000")
	var answer struct{ Agent, Response string }
	x.replay(t, all["generate"], http.StatusOK).JSON(t, &answer)
	if answer.Agent != "motivation_mapping" || answer.Response == "" {
		t.Errorf("generate: %+v", answer)
	}
	var analysis struct{ Metrics []struct{ Name string } }
	x.replay(t, all["analyze"], http.StatusOK).JSON(t, &analysis)
	if len(analysis.Metrics) != 2 || analysis.Metrics[0].Name != "participation" || analysis.Metrics[1].Name != "consistency" {
		t.Errorf("analyze: %+v", analysis)
	}
	k := x.talkTo(t, "model=gpt-4o-realtime-preview-2024-12-17", inBeta())
	if got := k.hear("session.created"); in(got, "session", "modalities", 0) != "text" {
		t.Errorf("the WebSocket begins with %v", got)
	}
}

// seeded003 is an app in the state that the examples of seed 003 show.
func seeded003(t *testing.T) tenant {
	t.Helper()
	s := testkit.Shared(t)
	x := tenant{Account: s.Account(t, testkit.Unlimited, plenty), server: s}
	x.key = x.Key(t)
	at := instant(t, "2024-01-15T10:30:00Z")
	x.session(t, x.key.AppID, func(c *db.Conversation) {
		c.ID, c.CreatedAt, c.LastMessageAt, c.Preview = "sess_9Rna21", at, at, "Hi there! I read through..."
		c.InputTokens, c.OutputTokens = 2000, 430
	})
	for i := range 1842 {
		x.spend(t, x.key.AppID, "model_abc123", at, 111+b2i(i < 205401-111*1842), 117+b2i(i < 216529-117*1842), 6758+b2i(i < 12_450_000-6758*1842))
	}
	return x
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func TestSeed003IsReplayed(t *testing.T) {
	t.Parallel()
	x, all := seeded003(t), examples(t, "003")
	for _, name := range []string{"usage", "sessions"} {
		compareJSON(t, "003", name, all[name].answer, x.replay(t, all[name], http.StatusOK).Body)
	}
	got := x.replay(t, all["chat"], http.StatusOK)
	compareEvents(t, all["chat"].answer, got)
	if !strings.Contains(string(got.Body), `{"session_id":"sess_9Rna21"}`) {
		t.Errorf("the stream does not end with the session: %s", got.Body)
	}
}

// compareEvents compares the printed lines with those sent, pieces of the
// answer aside: names, order of lines, shape of the data.
func compareEvents(t *testing.T, printed string, got testkit.Response) {
	t.Helper()
	shape := func(text string) []string {
		var lines []string
		for line := range strings.Lines(text) {
			line = regexp.MustCompile(`("content":)"(?:[^"\\]|\\.)*"`).ReplaceAllString(strings.TrimSpace(line), `$1"…"`)
			if line != "" && !strings.HasPrefix(line, "id: ") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	want, sent := shape(printed), shape(string(got.Body))
	for len(sent) > len(want) && slices.Equal(sent[:2], sent[2:4]) {
		sent = sent[2:] // the answer comes in several pieces
	}
	if !slices.Equal(want, sent) {
		t.Errorf("got lines %q, want %q", sent, want)
	}
}

func TestEveryDifferenceFromTheSeedsIsUsed(t *testing.T) {
	known := map[string]map[string]example{"002": examples(t, "002"), "003": examples(t, "003"), "004": examples(t, "004")}
	for _, d := range differences {
		if _, ok := known[d.seed][d.example]; !ok {
			t.Errorf("a difference is allowed for an example that seed %s does not have: %q", d.seed, d.example)
		}
	}
	for _, r := range repairs {
		if !slices.Contains(slices.Collect(maps.Keys(known[r.seed])), r.example) {
			t.Errorf("a repair of an example that seed %s does not have: %q", r.seed, r.example)
		}
	}
}
