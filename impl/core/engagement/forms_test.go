package engagement

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// What a method proposes has to fit its own form, for everybody: the unknown,
// the silent, the busy.
func TestProposalsFitTheirForms(t *testing.T) {
	t.Parallel()
	people := map[string]Portrait{"nobody": {Insight: Insight{Level: LevelNone}}}
	for name, ds := range map[string][]Day{"silent": steady(1, 29), "steady": steady(3, 0), "leaving": steady(9, 5)} {
		people[name] = Portrait{Insight: insight(name, ds), days: ds}
	}
	busy := steady(50, 0)
	for i := range busy {
		busy[i].Creations, busy[i].Achievement, busy[i].Mastery, busy[i].Social, busy[i].Progress = 30, 7, 11, 13, int64(i)
		busy[i].Events = busy[i].Creations + busy[i].Interactions
		busy[i].SocialPoints, busy[i].Depths, busy[i].DepthPoints = 90_000, 3, 3000
	}
	people["busy"] = Portrait{Insight: insight("busy", busy), days: busy}
	for _, a := range BuiltIn {
		schema := schemaOf(t, a)
		for name, p := range people {
			raw, err := json.Marshal(a.form.propose(p))
			if err != nil {
				t.Fatal(err)
			}
			if err := a.form.check(raw); err != nil {
				t.Errorf("%s of %s: %s: %v", a.ID, name, raw, err)
			}
			var value any
			_ = json.Unmarshal(raw, &value)
			if err := schema.VisitJSON(value); err != nil {
				t.Errorf("%s of %s: %s: %v", a.ID, name, raw, err)
			}
		}
	}
}

func schemaOf(t *testing.T, a Agent) *openapi3.Schema {
	t.Helper()
	raw, err := json.Marshal(a.Schema())
	if err != nil {
		t.Fatal(err)
	}
	schema := &openapi3.Schema{}
	if err := json.Unmarshal(raw, schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestAModelsAnswerCountsWhenItFits(t *testing.T) {
	t.Parallel()
	o := Options{Agent: MotivationMapping, Proposal: json.RawMessage(`{"proposed":true}`)}
	fits := `{"scores":{"achievement":0.1,"social":0.6,"mastery":0.2,"progress":0.1},"primary":"social","recommendation":"r"}`
	for answer, byModel := range map[string]bool{
		fits: true, "```json\n" + fits + "\n```": true, "Here you are: " + fits: true,
		"": false, "No idea.": false, "{": false, "} {": false, strings.Replace(fits, "0.6", "0.7", 1): false,
		strings.Replace(fits, `"social",`, `"fame",`, 1): false, strings.Replace(fits, `"primary"`, `"first"`, 1): false,
		strings.Replace(fits, "0.1", "-0.1", 1): false,
	} {
		result, by := o.Structured(answer)
		if by != byModel || (string(result) == string(o.Proposal)) == byModel {
			t.Errorf("%s: %s by the model: %t", answer, result, by)
		}
	}
	if result, _ := (Options{Agent: MotivationMapping}).Structured(fits); result != nil {
		t.Errorf("nobody asked for %s", result)
	}
}
