package apitest_test

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"parley/db"
	"parley/gen/client/characters"
	"parley/gen/client/platform"
	"parley/impl/core/id"
	"parley/impl/core/model"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// provider stores a provider of the account that nobody answers at.
func (x tenant) provider(t *testing.T) db.Provider {
	t.Helper()
	row := db.Provider{AccountID: x.ID, ID: id.New(id.Provider), Name: "Nobody", Kind: model.ProviderOpenAI, BaseURL: "http://127.0.0.1:9/v1"}
	row.CreatedAt = instant(t, "2025-04-01T12:00:00Z")
	if err := x.server.DB.PutProvider(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	return row
}

// offered adds a provider over the API, tests and offers it, and returns its id.
func (x tenant) offered(t *testing.T, kind, url, want string) string {
	t.Helper()
	var made platform.Provider
	x.do(t, testkit.Request{Path: "/api/v1/admin/providers", Body: map[string]any{"name": "Studio", "kind": kind, "base_url": url, "key": "sk-studio"}}).
		Want(t, http.StatusCreated).JSON(t, &made)
	var told platform.ProviderTest
	x.do(t, testkit.Request{Path: "/api/v1/admin/providers/" + made.ID + "/test", Body: map[string]any{"offer": true}}).Want(t, http.StatusOK).JSON(t, &told)
	if !told.Ok || !told.Offered || len(told.Models) != 1 || told.Models[0] != want {
		t.Fatalf("%s: the test told %+v", kind, told)
	}
	return made.ID
}

func TestPicturesComeFromProvidersOfBothKinds(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct{ suffix, model, path string }{
		model.ProviderOpenAI: {"/v1", "dall-e-test", "/v1/images/generations"},
		model.ProviderWebUI:  {"", "sd_xl_base", "/sdapi/v1/txt2img"},
	} {
		x := newTenant(t)
		p := providertest.NewPainter(t)
		x.offered(t, kind, p.URL+c.suffix, c.model)
		var changed platform.OfferedModel
		x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/admin/models/" + c.model, Body: map[string]any{"image_micros": imagePrice}}).
			Want(t, http.StatusOK).JSON(t, &changed)
		var listed characters.ModelList
		x.get(t, "/api/v1/models?type=sd", &listed)
		if changed.ImageMicros != imagePrice || listed[0].ID != c.model || listed[0].CostPerImage == nil || *listed[0].CostPerImage != 0.02 {
			t.Errorf("%s: changed %+v, listed %+v", kind, changed, listed)
		}
		before := x.Money(t).SpentMicros
		made := x.paint(t, map[string]any{"prompt": "A lighthouse", "sd_model_id": c.model})
		size, err := png.DecodeConfig(bytes.NewReader(x.download(t, made.URL, nil).Want(t, http.StatusOK).Body))
		if err != nil || size.Width != 16 || size.Height != 8 || x.Money(t).SpentMicros-before != imagePrice {
			t.Errorf("%s: %+v, %v, %+v", kind, size, err, x.Money(t))
		}
		got := p.Received()
		if len(got) != 1 || got[0].Path != c.path || got[0].Body["prompt"] != "A lighthouse" || got[0].Header.Get("Authorization") != "Bearer sk-studio" {
			t.Errorf("%s: received %+v", kind, got)
		}
		x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/admin/models/" + c.model, Body: `{"enabled":false}`}).Want(t, http.StatusOK)
		x.do(t, testkit.Request{Path: "/api/v1/images", Body: map[string]any{"prompt": "A", "sd_model_id": c.model}}).Want(t, http.StatusBadRequest)
	}
}

// A slow picture tells how far it is. Called off, it is called off at its provider, too, and costs nothing.
func TestASlowPictureTellsHowFarItIsAndIsCalledOff(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	p, gate := providertest.NewPainter(t), make(chan struct{})
	t.Cleanup(func() { close(gate) })
	p.Answers(func(http.ResponseWriter, providertest.Received) { <-gate })
	x.offered(t, model.ProviderWebUI, p.URL, "sd_xl_base")
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/admin/models/sd_xl_base", Body: map[string]any{"image_micros": imagePrice}}).Want(t, http.StatusOK)
	before := x.Money(t)
	got := x.do(t, testkit.Request{
		Path: "/api/v1/images", Body: map[string]any{"prompt": "A lighthouse", "sd_model_id": "sd_xl_base"}, Header: map[string]string{"Prefer": "respond-async, wait=0"},
	}).Want(t, http.StatusAccepted)
	if held := x.Money(t).HeldMicros; held != imagePrice {
		t.Errorf("%d are held", held)
	}
	var shown characters.ImageProgress
	eventually(t, "it tells how far it is", func() bool {
		x.do(t, testkit.Request{Path: got.Header.Get("Location")}).Want(t, http.StatusAccepted).JSON(t, &shown)
		return shown.Progress == 39
	})
	x.do(t, testkit.Request{Method: http.MethodPost, Path: "/api/v1/turns/" + got.Header.Get("Parley-Turn") + "/cancel"}).Want(t, http.StatusOK)
	eventually(t, "it is called off at its provider", func() bool { return p.Interrupted() == 1 })
	eventually(t, "it is over", func() bool {
		return x.do(t, testkit.Request{Path: got.Header.Get("Location")}).Status != http.StatusAccepted
	})
	if after := x.Money(t); after != before {
		t.Errorf("money before %+v, after %+v", before, after)
	}
}

// What a provider sends is not trusted: what is no picture is none, and costs nothing.
func TestAFailingProviderCostsNothingAndLeavesNothing(t *testing.T) {
	t.Parallel()
	refuse := func(status int, body string) func(http.ResponseWriter, providertest.Received) {
		return func(w http.ResponseWriter, _ providertest.Received) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	send := func(raw []byte) func(http.ResponseWriter, providertest.Received) {
		return func(w http.ResponseWriter, r providertest.Received) { providertest.WritePicture(w, r, raw) }
	}
	for what, c := range map[string]struct {
		answer func(http.ResponseWriter, providertest.Received)
		status int
	}{
		"an error":        {refuse(http.StatusInternalServerError, "secret trace"), http.StatusBadGateway},
		"no JSON":         {refuse(http.StatusOK, "<html>"), http.StatusBadGateway},
		"no picture":      {send([]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`)), http.StatusBadGateway},
		"half a picture":  {send(providertest.Picture(64, 64)[:80]), http.StatusBadGateway},
		"a refusal":       {refuse(http.StatusBadRequest, `{"error":{"code":"content_policy_violation"}}`), http.StatusBadRequest},
		"bad credentials": {refuse(http.StatusUnauthorized, "{}"), http.StatusBadGateway},
	} {
		x := tenantWith(t, "agent_id", "image_id")
		p := providertest.NewPainter(t)
		p.Answers(c.answer)
		x.offered(t, model.ProviderOpenAI, p.URL+"/v1", "dall-e-test")
		x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/admin/models/dall-e-test", Body: map[string]any{"image_micros": imagePrice}})
		before := x.Money(t)
		for path, body := range map[string]map[string]any{
			"/api/v1/images":         {"prompt": "A", "sd_model_id": "dall-e-test", "conversation_id": x.id(t, "conversation_id")},
			"/api/v1/agents":         {"name": "A", "sd_model_id": "dall-e-test"},
			"/v1/images/generations": {"prompt": "A", "model": "dall-e-test"},
		} {
			got := x.do(t, testkit.Request{Path: path, Body: body}).Want(t, c.status)
			if strings.Contains(string(got.Body), "secret") || strings.Contains(string(got.Body), "html") {
				t.Errorf("%s: %s", what, got.Body)
			}
		}
		x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/agents/" + x.id(t, "agent_id"), Body: `{"sd_model_id":"dall-e-test"}`}).Want(t, c.status)
		if after := x.Money(t); after != before {
			t.Errorf("%s: money before %+v, after %+v", what, before, after)
		}
		var agents characters.AgentList
		var page characters.ImagePage
		var messages characters.MessageList
		x.get(t, "/api/v1/agents", &agents)
		x.get(t, "/api/v1/images", &page)
		x.get(t, "/api/v1/conversations/"+x.id(t, "conversation_id")+"/messages", &messages)
		if len(agents) != 1 || agents[0].AvatarURL != nil || page.Pagination.TotalItems != 1 || len(messages) != 0 {
			t.Errorf("%s: left %+v, %+v, %+v", what, agents, page, messages)
		}
	}
}

func TestOpenaiClientsGetPicturesByAddressOrInBase64(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	var answer struct {
		Data []struct {
			URL string `json:"url"`
			B64 string `json:"b64_json"`
		} `json:"data"`
	}
	x.do(t, testkit.Request{Path: "/v1/images/generations", Body: `{"prompt":"A lighthouse","size":"256x256"}`}).Want(t, http.StatusOK).JSON(t, &answer)
	file := x.download(t, answer.Data[0].URL, nil).Want(t, http.StatusOK).Body
	if size, err := png.DecodeConfig(bytes.NewReader(file)); err != nil || size.Width != 256 || size.Height != 256 {
		t.Errorf("%+v, %v", size, err)
	}
	x.do(t, testkit.Request{Path: "/v1/images/generations", Body: map[string]any{
		"prompt": "A lighthouse", "size": "256x256", "response_format": "b64_json", "model": x.id(t, "sd_model_id"), "user": "customer-4711",
	}}).Want(t, http.StatusOK).JSON(t, &answer)
	if raw, err := base64.StdEncoding.DecodeString(answer.Data[0].B64); err != nil || !bytes.Equal(raw, file) {
		t.Errorf("the same prompt, another picture: %v", err)
	}
	p := providertest.NewPainter(t)
	x.offered(t, model.ProviderOpenAI, p.URL+"/v1", "dall-e-test")
	for name, want := range map[string]int{"no-such-model": http.StatusNotFound, "dall-e-test": http.StatusOK, x.id(t, "llm_id"): http.StatusNotFound} {
		x.do(t, testkit.Request{Path: "/v1/images/generations", Body: map[string]any{"prompt": "A", "model": name}}).Want(t, want)
	}
	broke := tenantOf(t, testkit.Shared(t), testkit.Unlimited, 0)
	broke.do(t, testkit.Request{Path: "/v1/images/generations", Body: map[string]any{"prompt": "A", "model": broke.painter(t)}}).Want(t, http.StatusTooManyRequests)
}

func TestProvidersAndModelsAreRuledByTheirOwners(t *testing.T) {
	t.Parallel()
	s := testkit.New(t) // what is offered to everybody is the default of tests on a shared server
	x, other := tenantOf(t, s, testkit.Unlimited, plenty), tenantOf(t, s, testkit.Unlimited, plenty)
	other.key = other.Key(t, testkit.Scopes("admin"))
	shared := map[string]any{"name": "All", "kind": "openai", "base_url": "https://models.example/v1", "shared": true}
	other.do(t, testkit.Request{Path: "/api/v1/admin/providers", Body: shared}).Want(t, http.StatusForbidden)
	var made, seen platform.Provider
	x.do(t, testkit.Request{Path: "/api/v1/admin/providers", Body: shared}).Want(t, http.StatusCreated).JSON(t, &made)
	t.Cleanup(func() { _ = x.server.DB.DeleteProvider(t.Context(), db.Everyone, made.ID) }) // gone already
	path := "/api/v1/admin/providers/" + made.ID
	other.get(t, path, &seen)
	if seen.BaseURL != nil || !seen.Shared || made.BaseURL == nil {
		t.Errorf("made %+v, another account sees %+v", made, seen)
	}
	sharedID := testkit.Canary()
	body := map[string]any{"id": sharedID, "provider_id": made.ID, "type": "sd"}
	other.do(t, testkit.Request{Path: "/api/v1/admin/models", Body: body}).Want(t, http.StatusForbidden)
	x.do(t, testkit.Request{Path: "/api/v1/admin/models", Body: body}).Want(t, http.StatusCreated)
	x.do(t, testkit.Request{Path: "/api/v1/admin/models", Body: body}).Want(t, http.StatusConflict)
	for _, r := range []testkit.Request{
		{Method: http.MethodPatch, Path: "/api/v1/admin/models/" + sharedID, Body: `{"enabled":false}`},
		{Method: http.MethodDelete, Path: "/api/v1/admin/models/" + sharedID},
		{Path: path + "/test", Body: `{}`},
		{Method: http.MethodDelete, Path: path},
	} {
		other.do(t, r).Want(t, http.StatusForbidden)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/admin/models/" + sharedID}).Want(t, http.StatusNoContent)
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: path}).Want(t, http.StatusNoContent)
	var failed platform.ProviderTest
	x.do(t, testkit.Request{Path: "/api/v1/admin/providers/" + x.id(t, "provider_id") + "/test", Body: `{}`}).Want(t, http.StatusOK).JSON(t, &failed)
	if failed.Ok || failed.Error == nil || failed.Offered {
		t.Errorf("nobody answers: %+v", failed)
	}
}

func TestAPlansStorageIsACeiling(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	plan := x.Plan(t)
	one := int64(1)
	plan.StorageBytes = &one
	if _, err := x.server.App.Accounts.PutPlan(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if _, err := sql(t, x.server).Exec(`update accounts set plan = $2 where account_id = $1`, x.ID, plan.Name); err != nil {
		t.Fatal(err)
	}
	before := x.Money(t)
	for _, r := range []testkit.Request{
		{Path: "/api/v1/images", Body: map[string]any{"prompt": "A", "sd_model_id": x.painter(t)}},
		{Path: "/v1/images/generations", Body: map[string]any{"prompt": "A", "model": x.painter(t)}},
		{Path: "/api/v1/agents", Body: map[string]any{"name": "A", "sd_model_id": x.painter(t)}},
		{Method: http.MethodPatch, Path: "/api/v1/agents/" + x.id(t, "agent_id"), Body: map[string]any{"sd_model_id": x.painter(t)}},
	} {
		x.do(t, r).Want(t, http.StatusConflict)
	}
	if after := x.Money(t); after != before {
		t.Errorf("money before %+v, after %+v", before, after)
	}
}
