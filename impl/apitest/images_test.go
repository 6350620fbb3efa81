package apitest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"parley/db"
	"parley/gen/client/characters"
	"parley/impl/core/model"
	"parley/impl/testkit"
)

const imagePrice = 20_000 // micro-units

// painter is a priced model of the account that draws.
func (x tenant) painter(t *testing.T) string {
	t.Helper()
	return x.Model(t, func(m *db.Model) { m.Kind, m.ImageMicros = model.KindSD, imagePrice }).ID
}

// paint makes a picture and returns it.
func (x tenant) paint(t *testing.T, body map[string]any) characters.Image {
	t.Helper()
	var made characters.Image
	x.do(t, testkit.Request{Path: "/api/v1/images", Body: body}).Want(t, http.StatusCreated).JSON(t, &made)
	return made
}

// download fetches an address of the server, without a key.
func (x tenant) download(t *testing.T, url string, header map[string]string) testkit.Response {
	t.Helper()
	path, ours := strings.CutPrefix(url, x.server.URL)
	if !ours {
		t.Fatalf("%s is not on this server", url)
	}
	return x.server.Do(t, testkit.Request{Path: path, Header: header})
}

func TestAnImageIsMadePaidShownAndDeleted(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	before := x.Money(t)
	got := x.do(t, testkit.Request{Path: "/api/v1/images", Body: map[string]any{
		"prompt": "A serene beach at sunset with palm trees", "sd_model_id": x.painter(t), "conversation_id": x.id(t, "conversation_id"),
	}}).Want(t, http.StatusCreated)
	var made, again characters.Image
	got.JSON(t, &made)
	x.get(t, got.Header.Get("Location"), &again)
	if made != again || made.Prompt != "A serene beach at sunset with palm trees" || !strings.HasPrefix(made.ID, "img_") {
		t.Errorf("made %+v, then %+v", made, again)
	}
	after := x.Money(t)
	if after.SpentMicros-before.SpentMicros != imagePrice || after.HeldMicros != 0 {
		t.Errorf("money before %+v, after %+v", before, after)
	}
	picture := x.download(t, made.URL, nil).Want(t, http.StatusOK)
	if size, err := png.DecodeConfig(bytes.NewReader(picture.Body)); err != nil || size.Width != 512 || size.Height != 512 {
		t.Errorf("a picture of %+v, %v", size, err)
	}
	var shown characters.MessageList
	x.get(t, "/api/v1/conversations/"+x.id(t, "conversation_id")+"/messages", &shown)
	if len(shown) != 1 || shown[0].Content != "" || shown[0].Role != "agent" || shown[0].Image == nil || shown[0].Image.ID != made.ID || shown[0].Image.URL != made.URL {
		t.Fatalf("the conversation shows %+v", shown)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: got.Header.Get("Location")}).Want(t, http.StatusNoContent)
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: got.Header.Get("Location")}).Want(t, http.StatusNotFound)
	x.download(t, made.URL, nil).Want(t, http.StatusNotFound)
	shown = nil
	x.get(t, "/api/v1/conversations/"+x.id(t, "conversation_id")+"/messages", &shown)
	if len(shown) != 1 || shown[0].Image != nil {
		t.Errorf("after the deletion the conversation shows %+v", shown)
	}
	var turned struct {
		Status string `json:"status"`
	}
	x.get(t, "/api/v1/turns/"+got.Header.Get("Parley-Turn"), &turned)
	if turned.Status != "completed" {
		t.Errorf("the turn is %+v", turned)
	}
}

func TestImagesArePagedWithAllSixMembers(t *testing.T) {
	t.Parallel()
	x := tenantWith(t, "image_id")
	x.Image(t, func(i *db.Image) { i.Purpose = db.ImageAvatar })
	x.Image(t, func(i *db.Image) { i.Purpose = db.ImageUpload })
	x.Image(t, func(i *db.Image) { i.State = db.ImageFailed })
	for i := range 24 { // one is there already
		x.Image(t, func(row *db.Image) { row.Prompt = fmt.Sprint("picture ", i) })
	}
	for path, want := range map[string]string{
		"?page=1&page_size=10": `{"total_items":25,"current_page":1,"page_size":10,"total_pages":3,"next_page":2,"prev_page":null}`,
		"?page=2":              `{"total_items":25,"current_page":2,"page_size":10,"total_pages":3,"next_page":3,"prev_page":1}`,
		"?page=3":              `{"total_items":25,"current_page":3,"page_size":10,"total_pages":3,"next_page":null,"prev_page":2}`,
		"?page=9":              `{"total_items":25,"current_page":9,"page_size":10,"total_pages":3,"next_page":null,"prev_page":8}`,
		"?page_size=100":       `{"total_items":25,"current_page":1,"page_size":100,"total_pages":1,"next_page":null,"prev_page":null}`,
	} {
		var page struct {
			Data       []characters.Image `json:"data"`
			Pagination json.RawMessage    `json:"pagination"`
		}
		x.get(t, "/api/v1/images"+path, &page)
		if string(page.Pagination) != want {
			t.Errorf("%s: got %s, want %s", path, page.Pagination, want)
		}
		if path == "?page=2" && (len(page.Data) != 10 || page.Data[0].Prompt != "picture 13") {
			t.Errorf("%s holds %+v", path, page.Data)
		}
	}
	fresh := newTenant(t)
	x.do(t, testkit.Request{Path: "/api/v1/images?page_size=101"}).Want(t, http.StatusBadRequest)
	fresh.do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/images/" + fresh.id(t, "image_id")}).Want(t, http.StatusNoContent)
	if body := fresh.do(t, testkit.Request{Path: "/api/v1/images"}).Want(t, http.StatusOK).Body; string(bytes.TrimSpace(body)) !=
		`{"data":[],"pagination":{"total_items":0,"current_page":1,"page_size":10,"total_pages":0,"next_page":null,"prev_page":null}}` {
		t.Errorf("without images: %s", body)
	}
}

func TestNoPictureIsMadeWithoutMoneyOrModel(t *testing.T) {
	t.Parallel()
	x := tenantOf(t, testkit.Shared(t), testkit.Unlimited, imagePrice-1)
	priced := x.painter(t)
	for path, body := range map[string]map[string]any{
		"/api/v1/images": {"prompt": "A city", "sd_model_id": priced},
		"/api/v1/agents": {"name": "Ada", "sd_model_id": priced},
	} {
		x.do(t, testkit.Request{Path: path, Body: body}).Want(t, http.StatusPaymentRequired)
		for _, unknown := range []string{"no-such-model", x.id(t, "llm_id")} {
			body["sd_model_id"] = unknown
			x.do(t, testkit.Request{Path: path, Body: body}).Want(t, http.StatusBadRequest)
		}
	}
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/agents/" + x.id(t, "agent_id"), Body: map[string]any{"sd_model_id": priced}}).
		Want(t, http.StatusPaymentRequired)
	if m := x.Money(t); m.BalanceMicros != imagePrice-1 || m.HeldMicros != 0 {
		t.Errorf("money %+v", m)
	}
	var list characters.AgentList
	x.get(t, "/api/v1/agents", &list)
	if len(list) != 1 {
		t.Errorf("agents %+v", list)
	}
	x.do(t, testkit.Request{Path: "/api/v1/images", Body: map[string]any{
		"prompt": "A city", "sd_model_id": x.id(t, "sd_model_id"), "conversation_id": "conv_of_nobody",
	}}).Want(t, http.StatusNotFound)
}

func TestAnAgentGetsItsPictureAndLosesIt(t *testing.T) {
	t.Parallel()
	x := tenantWith(t, "agent_id", "image_id")
	sd := x.painter(t)
	var made, again, changed characters.Agent
	got := x.do(t, testkit.Request{Path: "/api/v1/agents", Body: map[string]any{
		"name": "Financial Advisor", "appearance_prompt": "Professional, suit and tie", "age": 35, "sd_model_id": sd,
	}}).Want(t, http.StatusCreated)
	got.JSON(t, &made)
	if made.AvatarURL == nil || made.AppearancePrompt != "35 years old, Professional, suit and tie" {
		t.Fatalf("made %s", got.Body)
	}
	first := x.download(t, *made.AvatarURL, nil).Want(t, http.StatusOK)
	x.get(t, got.Header.Get("Location"), &again)
	var list characters.AgentList
	x.get(t, "/api/v1/agents", &list)
	if again.AvatarURL == nil || *again.AvatarURL != *made.AvatarURL || list[0].AvatarURL == nil || list[1].AvatarURL != nil {
		t.Errorf("then %+v, listed %+v", again, list)
	}
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: got.Header.Get("Location"), Body: map[string]any{"description": "Patient"}}).
		Want(t, http.StatusOK).JSON(t, &changed)
	if changed.Description != "Patient" || changed.AvatarURL == nil || *changed.AvatarURL != *made.AvatarURL {
		t.Errorf("changed %+v", changed)
	}
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: got.Header.Get("Location"), Body: map[string]any{"appearance_prompt": "Wizard", "sd_model_id": sd}}).
		Want(t, http.StatusOK).JSON(t, &changed)
	if changed.AvatarURL == nil || *changed.AvatarURL == *made.AvatarURL || changed.AppearancePrompt != "35 years old, Wizard" {
		t.Fatalf("with another picture %+v", changed)
	}
	x.download(t, *made.AvatarURL, nil).Want(t, http.StatusNotFound)
	if second := x.download(t, *changed.AvatarURL, nil).Want(t, http.StatusOK); bytes.Equal(first.Body, second.Body) {
		t.Error("another appearance, the same picture")
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: got.Header.Get("Location")}).Want(t, http.StatusNoContent)
	x.download(t, *changed.AvatarURL, nil).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Path: got.Header.Get("Location")}).Want(t, http.StatusNotFound)
	var page characters.ImagePage
	x.get(t, "/api/v1/images", &page)
	if page.Pagination.TotalItems != 1 { // the one that every tenant has
		t.Errorf("avatars are listed: %+v", page)
	}
}

func TestAPictureThatIsNotWaitedForIsMadeNonetheless(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	got := x.do(t, testkit.Request{
		Path: "/api/v1/images", Body: map[string]any{"prompt": "A forest", "sd_model_id": x.painter(t)},
		Header: map[string]string{"Prefer": "respond-async, wait=0"},
	}).Want(t, http.StatusAccepted)
	var waiting characters.ImageProgress
	got.JSON(t, &waiting)
	if waiting.Status != "in_progress" || got.Header.Get("Location") != "/api/v1/images/"+waiting.ID {
		t.Errorf("accepted %s at %s", got.Body, got.Header.Get("Location"))
	}
	eventually(t, "the picture is there", func() bool {
		return x.do(t, testkit.Request{Path: got.Header.Get("Location")}).Status == http.StatusOK
	})
	patient := x.do(t, testkit.Request{
		Path: "/api/v1/images", Body: map[string]any{"prompt": "A forest", "sd_model_id": x.id(t, "sd_model_id")},
		Header: map[string]string{"Prefer": "wait=600; respond-async"},
	})
	patient.Want(t, http.StatusCreated)
}

func TestAnAgentWhosePictureIsNotWaitedForGetsItNonetheless(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	got := x.do(t, testkit.Request{
		Path: "/api/v1/agents", Body: map[string]any{"name": "Ada", "sd_model_id": x.painter(t)}, Header: map[string]string{"Prefer": "respond-async, wait=0"},
	}).Want(t, http.StatusAccepted)
	var a characters.Agent
	got.JSON(t, &a)
	wantHeader(t, got, "Location", "/api/v1/agents/"+a.ID)
	if a.AvatarURL != nil || got.Header.Get("Parley-Turn") == "" {
		t.Errorf("accepted %s", got.Body)
	}
	eventually(t, "the picture is there", func() bool {
		a.AvatarURL = nil
		x.get(t, got.Header.Get("Location"), &a)
		return a.AvatarURL != nil
	})
	x.download(t, *a.AvatarURL, nil).Want(t, http.StatusOK)
	if spent := x.Money(t).SpentMicros; spent != imagePrice {
		t.Errorf("spent %d", spent)
	}
}

func TestANewPictureOfAnAgentIsNotWaitedForAndPaidOnce(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	path := "/api/v1/agents/" + x.id(t, "agent_id")
	change := testkit.Request{
		Method: http.MethodPatch, Path: path, Body: map[string]any{"name": "Ada", "sd_model_id": x.painter(t)},
		Header: map[string]string{"Prefer": "respond-async, wait=0", "Idempotency-Key": "another-face"},
	}
	got := x.do(t, change).Want(t, http.StatusAccepted)
	wantHeader(t, got, "Location", path)
	var first, again characters.Agent
	eventually(t, "the picture is there", func() bool {
		x.get(t, path, &first)
		return first.AvatarURL != nil
	})
	repeated := x.do(t, change).Want(t, http.StatusOK)
	wantHeader(t, repeated, "Idempotency-Replayed", "true")
	wantHeader(t, repeated, "Parley-Turn", got.Header.Get("Parley-Turn"))
	if repeated.JSON(t, &again); again.Name != "Ada" || again.AvatarURL == nil {
		t.Errorf("repeated %s", repeated.Body)
	}
	if spent := x.Money(t).SpentMicros; spent != imagePrice {
		t.Errorf("spent %d", spent)
	}
}

func TestConversationsAreChangedAndDeletedWithTheirPictures(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	path := "/api/v1/conversations/" + x.id(t, "conversation_id")
	made := x.paint(t, map[string]any{"prompt": "A forest", "sd_model_id": x.id(t, "sd_model_id"), "conversation_id": x.id(t, "conversation_id")})
	var changed, again characters.Conversation
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: path, Body: map[string]any{
		"title": "Another", "agent_id": x.id(t, "agent_id"), "llm_id": x.id(t, "llm_id"), "system_prompt": "Be brief.",
	}}).Want(t, http.StatusOK).JSON(t, &changed)
	x.get(t, path, &again)
	if again.Title != "Another" || again.AgentID == nil || *again.AgentID != x.id(t, "agent_id") || again.LLMID != x.id(t, "llm_id") || again.SystemPrompt != "Be brief." {
		t.Errorf("changed %+v, then %+v", changed, again)
	}
	for member, want := range map[string]int{`{"llm_id":"nothing"}`: 400, `{"agent_id":"agent_nobody"}`: 404, `{"title":""}`: 400} {
		x.do(t, testkit.Request{Method: http.MethodPatch, Path: path, Body: member}).Want(t, want)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: path}).Want(t, http.StatusNoContent)
	x.do(t, testkit.Request{Path: path}).Want(t, http.StatusNotFound)
	x.download(t, made.URL, nil).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Path: "/api/v1/images/" + made.ID}).Want(t, http.StatusNotFound)
}
