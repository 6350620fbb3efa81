package projects

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	gen "parley/gen/projects"
	"parley/impl/core/project"
)

func members(t *testing.T, v any) []string {
	t.Helper()
	raw, err := json.Marshal(v)
	var out map[string]any
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(out))
}

// Settings go through JSON, so that the names on both sides have to be the same.
func TestSettingsHaveTheSameNamesInside(t *testing.T) {
	t.Parallel()
	elsewhere := []string{
		"chatbot_avatar", "chatbot_background", "chatbot_background_type", "chatbot_background_color", "private_deployment", "license_slug", "selling_url",
	}
	shown := slices.DeleteFunc(members(t, gen.ProjectSettings{}), func(name string) bool { return slices.Contains(elsewhere, name) })
	if inside := members(t, project.Settings{}); !slices.Equal(shown, inside) {
		t.Errorf("shown  %v\ninside %v", shown, inside)
	}
	change := gen.ProjectSettingsChange{ExampleQuestions: []string{}}
	set := project.Settings{ExampleQuestions: []string{"One?"}, DefaultPrompt: "Ask"}
	if err := fromAPIProjectSettingsChange(change, &set); err != nil || len(set.ExampleQuestions) != 0 || set.DefaultPrompt != "Ask" {
		t.Errorf("%+v, %v", set, err)
	}
}
