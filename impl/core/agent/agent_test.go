package agent_test

import (
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/agent"
	"parley/impl/core/fault"
	"parley/impl/core/model"
)

func TestAgents(t *testing.T) {
	t.Parallel()
	d, _ := dbtest.Own(t)
	now := func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
	models := &model.Catalog{DB: d, Now: now}
	if err := models.OfferBuiltIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &agent.Service{DB: d, Models: models, Now: now}
	account, stranger := dbtest.Account(t, d, "free", 0), dbtest.Account(t, d, "free", 0)
	age := 35.0
	a, err := s.Create(t.Context(), account, agent.CreateInput{Name: "Ada", AppearancePrompt: "suit and tie", SDModelID: model.BuiltInSD, Age: &age})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), account, a.ID); err != nil || got.Name != "Ada" || *got.Age != 35 || *got.SDModelID != model.BuiltInSD {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, where := range [][2]string{{stranger, a.ID}, {account, "agent_missing"}} {
		if _, err := s.Get(t.Context(), where[0], where[1]); fault.From(err).Message != "Agent not found" || fault.KindOf(err) != fault.NotFound {
			t.Errorf("agent %s of %s: %v", where[1], where[0], err)
		}
	}
	for _, sd := range []string{"no such model", model.BuiltInLLM} {
		if _, err := s.Create(t.Context(), account, agent.CreateInput{Name: "Eve", SDModelID: sd}); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("with the picture model %q: %v", sd, err)
		}
	}
	second, err := s.Create(t.Context(), account, agent.CreateInput{Name: "Bob"})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	before := ""
	for range 2 {
		page, err := s.List(t.Context(), account, before, 1)
		if err != nil || len(page) != 1 {
			t.Fatalf("page %+v, %v", page, err)
		}
		before = page[0].ID
		seen[before] = true
	}
	if !seen[a.ID] || !seen[second.ID] {
		t.Errorf("listed %v", seen)
	}
	if list, err := s.List(t.Context(), stranger, "", 10); err != nil || len(list) != 0 {
		t.Errorf("the stranger's agents: %+v, %v", list, err)
	}
}

func TestWordsOfAnAgent(t *testing.T) {
	t.Parallel()
	age, half := 35.0, 18.5
	for _, c := range []struct {
		agent               db.Agent
		appearance, persona string
	}{
		{db.Agent{Name: "Ada", Age: &age, AppearancePrompt: "Professional, suit and tie", PersonalityPrompt: "calm", Description: "A lawyer."},
			"35 years old, Professional, suit and tie", "You are Ada.\nA lawyer.\nPersonality: calm"},
		{db.Agent{Name: "Bob", Age: &half}, "18.5 years old, ", "You are Bob."},
		{db.Agent{Name: "Cy", AppearancePrompt: "tall"}, "tall", "You are Cy."},
	} {
		if got := agent.Appearance(c.agent); got != c.appearance {
			t.Errorf("appearance %q, want %q", got, c.appearance)
		}
		if got := agent.Persona(c.agent); got != c.persona {
			t.Errorf("persona %q, want %q", got, c.persona)
		}
	}
}
