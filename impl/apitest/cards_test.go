package apitest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"parley/gen/client/characters"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

const importsPath = "/api/v1/agent-imports"

// cardOf is a picture that carries a card.
func cardOf(t *testing.T, card any) []byte {
	t.Helper()
	raw, err := json.Marshal(card)
	if err != nil {
		t.Fatal(err)
	}
	plain := photo(t, 24, 36)
	chunk := append([]byte("tEXtchara\x00"), base64.StdEncoding.EncodeToString(raw)...)
	out := binary.BigEndian.AppendUint32(bytes.Clone(plain[:33]), uint32(len(chunk)-4))
	out = binary.BigEndian.AppendUint32(append(out, chunk...), crc32.ChecksumIEEE(chunk))
	return append(out, plain[33:]...)
}

func TestACharacterCardBecomesAnAgent(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	card := object{"spec": "chara_card_v2", "spec_version": "2.0", "data": object{
		"name": "Ada <b>", "description": "{{char}} counts.", "personality": "<script>alert(1)</script>", "first_mes": "Good evening, {{user}}.",
		"alternate_greetings": []string{"Who is there?"}, "creator_notes": "secret-canary", "extensions": object{"a": 1},
	}}
	raw, err := json.Marshal(card)
	if err != nil {
		t.Fatal(err)
	}
	picture := cardOf(t, card)
	for what, r := range map[string]testkit.Request{
		"JSON":        {Path: importsPath, Body: card},
		"a JSON file": form(t, importsPath, part{"file", "ada.json", "application/json", string(raw)}),
		"a PNG":       form(t, importsPath, part{"file", "ada.png", "image/png", string(picture)}),
	} {
		var made characters.AgentImport
		got := x.do(t, r).Want(t, http.StatusCreated)
		got.JSON(t, &made)
		a := made.Agent
		wantHeader(t, got, "Location", "/api/v1/agents/"+a.ID)
		if a.Name != "Ada <b>" || a.Description != "Ada <b> counts." || a.PersonalityPrompt != "<script>alert(1)</script>" {
			t.Errorf("%s: %+v", what, a)
		}
		if strings.Join(made.Greetings, "|") != "Good evening, the user.|Who is there?" || strings.Join(made.LeftOut, "|") != "creator_notes|extensions" {
			t.Errorf("%s: greets %q, leaves out %q", what, made.Greetings, made.LeftOut)
		}
		var read characters.Agent
		x.get(t, "/api/v1/agents/"+a.ID, &read)
		if what != "a PNG" {
			if read.AvatarURL != nil {
				t.Errorf("%s: has a picture", what)
			}
			continue
		}
		if read.AvatarURL == nil || *read.AvatarURL != *a.AvatarURL {
			t.Fatalf("a PNG: shown at %v, then %v", a.AvatarURL, read.AvatarURL)
		}
		shown := x.download(t, *read.AvatarURL, nil).Want(t, http.StatusOK)
		if m, err := png.Decode(bytes.NewReader(shown.Body)); err != nil || m.Bounds().Dx() != 24 || bytes.Contains(shown.Body, []byte("tEXt")) {
			t.Errorf("its picture: %v, %d bytes", err, len(shown.Body))
		}
		x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/agents/" + a.ID}).Want(t, http.StatusNoContent)
		x.download(t, *read.AvatarURL, nil).Want(t, http.StatusNotFound)
	}
}

func TestAnImportedAgentSpeaks(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t, providertest.SSE("Indeed."))
	var made characters.AgentImport
	x.do(t, testkit.Request{Path: importsPath, Body: object{"spec": "chara_card_v2", "data": object{"name": "Ada", "personality": "curious", "first_mes": "Good evening."}}}).
		Want(t, http.StatusCreated).JSON(t, &made)
	var c characters.Conversation
	x.do(t, testkit.Request{Path: "/api/v1/conversations", Body: object{
		"title": "A talk", "llm_id": testkit.UpstreamModel, "agent_id": made.Agent.ID, "messages": []any{object{"role": "agent", "content": made.Greetings[0]}},
	}}).Want(t, http.StatusCreated).JSON(t, &c)
	x.do(t, testkit.Request{Path: "/api/v1/conversations/" + c.ID + "/messages", Body: object{"content": "Hello"}}).Want(t, http.StatusCreated)
	raw, err := json.Marshal(u.Received()[0].Body["messages"])
	if err != nil || !strings.Contains(string(raw), "You are Ada.") || !strings.Contains(string(raw), "curious") || !strings.Contains(string(raw), "Good evening.") {
		t.Errorf("the model read %s, %v", raw, err)
	}
}

func TestWhatIsNoCardMakesNoAgent(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	list := func() string { return string(x.do(t, testkit.Request{Path: "/api/v1/agents"}).Body) }
	before := list()
	good := cardOf(t, object{"spec": "chara_card_v2", "data": object{"name": "Ada"}})
	for what, raw := range map[string]string{
		"a picture without": string(photo(t, 8, 8)), "text": "Ada", "a page": "<script>alert(1)</script>", "no name": `{"spec":"chara_card_v2","data":{}}`,
		"a card without its picture": string(good[:len(good)-40]),
		"an endless card":            `{"spec":"chara_card_v2","data":{"name":"Ada","scenario":"` + strings.Repeat("a", 30_000) + `"}}`,
	} {
		if got := x.do(t, form(t, importsPath, part{"file", "ada.png", "image/png", raw})); got.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", what, got.Status, got.Body)
		}
	}
	if after := list(); after != before {
		t.Errorf("agents before %s, after %s", before, after)
	}
}
