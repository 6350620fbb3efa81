package apitest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	_ "image/jpeg"
	"net/http"
	"strings"
	"testing"

	"parley/db"
	"parley/gen/client/characters"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// seeing says of the upstream's model whether it sees.
func (x tenant) seeing(t *testing.T, sees bool) {
	t.Helper()
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/admin/models/" + testkit.UpstreamModel, Body: object{"vision": sees}}).Want(t, http.StatusOK)
}

// shownTo returns the pictures of a request's messages that an upstream got, by message.
func shownTo(t *testing.T, got providertest.Received) [][]string {
	t.Helper()
	raw, err := json.Marshal(got.Body["messages"])
	if err != nil {
		t.Fatal(err)
	}
	var messages []struct{ Content json.RawMessage }
	if err := json.Unmarshal(raw, &messages); err != nil {
		t.Fatal(err)
	}
	all := make([][]string, len(messages))
	for i, m := range messages {
		var parts []struct {
			Type     string
			ImageURL struct{ URL string } `json:"image_url"`
		}
		if json.Unmarshal(m.Content, &parts) != nil {
			continue
		}
		for _, p := range parts {
			if p.Type == "image_url" {
				all[i] = append(all[i], p.ImageURL.URL)
			}
		}
	}
	return all
}

func sizeOf(t *testing.T, url string) image.Point {
	t.Helper()
	_, data, _ := strings.Cut(url, ";base64,")
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m.Bounds().Size()
}

func TestPicturesReachAModelThatSees(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t)
	x.seeing(t, true)
	modelID := testkit.UpstreamModel
	c := x.Conversation(t, func(c *db.Conversation) { c.ModelID, c.AgentID, c.SystemPrompt = &modelID, nil, "" })
	path := "/api/v1/conversations/" + c.ID + "/messages"
	uploaded := x.upload(t, photo(t, 30, 20))
	x.do(t, testkit.Request{Path: path, Body: object{
		"content": "What is this?", "images": []any{object{"id": uploaded.ID}, object{"url": dataURL("image/png", photo(t, 3000, 12))}},
	}}).Want(t, http.StatusCreated)
	got := shownTo(t, u.Received()[0])
	if len(got) != 1 || len(got[0]) != 2 || sizeOf(t, got[0][0]) != image.Pt(30, 20) || sizeOf(t, got[0][1]) != image.Pt(2048, 8) {
		t.Fatalf("the upstream got %.300q", got)
	}
	x.do(t, testkit.Request{Path: path, Body: object{"content": "And what color?"}}).Want(t, http.StatusCreated)
	if got := shownTo(t, u.Received()[1]); len(got) != 3 || len(got[0]) != 2 {
		t.Errorf("later it got %.300q", got)
	}
	var said []characters.Message
	x.get(t, path, &said)
	if len(said) != 4 || len(said[0].Images) != 2 || said[0].Image == nil || said[0].Image.ID != uploaded.ID || said[1].Images != nil {
		t.Fatalf("the conversation has %+v", said)
	}
	x.download(t, said[0].Images[1].URL, nil).Want(t, http.StatusOK)
	page := x.do(t, testkit.Request{Path: "/api/v1/conversations/" + c.ID + "/export?format=html"}).Want(t, http.StatusOK)
	if n := strings.Count(string(page.Body), "<img "); n != 2 {
		t.Errorf("the export shows %d pictures", n)
	}

	// A picture that is gone leaves its message; what came with the conversation goes with it.
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: uploadsPath + "/" + uploaded.ID}).Want(t, http.StatusNoContent)
	x.do(t, testkit.Request{Path: path, Body: object{"content": "Still there?"}}).Want(t, http.StatusCreated)
	if got := shownTo(t, u.Received()[2]); len(got) != 5 || len(got[0]) != 1 {
		t.Errorf("after the deletion it got %.300q", got)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/conversations/" + c.ID}).Want(t, http.StatusNoContent)
	x.do(t, testkit.Request{Path: uploadsPath + "/" + said[0].Images[1].ID}).Want(t, http.StatusNotFound)
}

func TestAModelThatSeesNothingIsShownNothing(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t)
	modelID := testkit.UpstreamModel
	c := x.Conversation(t, func(c *db.Conversation) { c.ModelID, c.AgentID, c.SystemPrompt = &modelID, nil, "" })
	path := "/api/v1/conversations/" + c.ID + "/messages"
	look := object{"content": "Look", "images": []any{object{"url": dataURL("image/png", photo(t, 30, 20))}}}
	x.do(t, testkit.Request{Path: path, Body: look}).Want(t, http.StatusCreated) // nobody said whether it sees
	x.seeing(t, false)
	var before, after []characters.Upload
	x.get(t, uploadsPath, &before)
	for _, r := range []testkit.Request{
		{Path: path, Body: look},
		{Path: path, Body: object{"content": "Look", "images": []any{object{"id": before[0].ID}}}},
		{Path: "/v1/chat/completions", Body: object{"model": modelID, "messages": []any{object{"role": "user", "content": []any{
			object{"type": "text", "text": "Look"}, object{"type": "image_url", "image_url": object{"url": dataURL("image/png", photo(t, 3, 2))}},
		}}}}},
	} {
		got := x.do(t, r).Want(t, http.StatusBadRequest)
		if !strings.Contains(string(got.Body), "cannot see pictures") {
			t.Errorf("%s: %s", r.Path, got.Body)
		}
	}
	if x.get(t, uploadsPath, &after); len(after) != len(before) {
		t.Errorf("a refused message left its picture: %d, then %d", len(before), len(after))
	}
	x.do(t, testkit.Request{Path: path, Body: object{"content": "And now?"}}).Want(t, http.StatusCreated)
	raw, _ := json.Marshal(u.Received()[1].Body["messages"])
	if !strings.Contains(string(raw), `"Look\n[picture]"`) {
		t.Errorf("the upstream got %s", raw)
	}
	for want, images := range map[int][]any{
		http.StatusNotFound:   {object{"id": "img_none"}},
		http.StatusBadRequest: {object{"id": before[0].ID, "url": dataURL("image/png", photo(t, 3, 2))}},
	} {
		x.do(t, testkit.Request{Path: path, Body: object{"content": "Look", "images": images}}).Want(t, want)
	}
	x.do(t, testkit.Request{Path: path, Body: object{"content": "Look", "images": []any{object{"url": dataURL("image/png", []byte("<svg/>"))}}}}).
		Want(t, http.StatusBadRequest)
	stranger := newTenant(t)
	x.do(t, testkit.Request{Path: path, Body: object{"content": "Look", "images": []any{object{"id": stranger.upload(t, photo(t, 3, 2)).ID}}}}).
		Want(t, http.StatusNotFound)
}

func TestModelsSayWhetherTheySee(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t)
	u.AnswersModels(func(e *providertest.Exchange) {
		e.Header().Set("Content-Type", "application/json")
		_, _ = e.Write([]byte(`{"object":"list","data":[
			{"id":"sees-a","architecture":{"input_modalities":["text","image"]}},{"id":"sees-b","capabilities":{"vision":true}},{"id":"sees-c","capabilities":["completion","multimodal"]},
			{"id":"blind-a","architecture":{"input_modalities":["text"]}},{"id":"blind-b","capabilities":{"vision":false}},{"id":"silent"}]}`))
	})
	var providers []struct {
		ID     string
		Shared bool
	}
	x.get(t, "/api/v1/admin/providers", &providers)
	for _, p := range providers {
		if !p.Shared && p.ID != "builtin" {
			x.do(t, testkit.Request{Method: http.MethodPost, Path: "/api/v1/admin/providers/" + p.ID + "/test", Body: object{"offer": true}})
		}
	}
	var listed []characters.Model
	x.get(t, "/api/v1/models?type=llm&limit=1000", &listed)
	said := map[string]*bool{}
	for _, m := range listed {
		said[m.ID] = m.Vision
	}
	for modelID, want := range map[string]*bool{
		"sees-a": new(true), "sees-b": new(true), "sees-c": new(true), "blind-a": new(false), "blind-b": new(false), "silent": nil, "parley-builtin": new(false),
	} {
		if got, ok := said[modelID]; !ok || (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s says %v (listed: %v)", modelID, got, ok)
		}
	}
}

// An account that does not want a model of the server switches it off for itself.
func TestAnAccountSwitchesTheServersModels(t *testing.T) {
	t.Parallel()
	x, other := newTenant(t), newTenant(t)
	admin := x.Key(t, testkit.Scopes("admin"))
	set := func(body object) testkit.Response {
		return x.server.Do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/admin/models/parley-builtin", Key: admin.Text, Body: body})
	}
	offers := func(y tenant) bool {
		return strings.Contains(string(y.do(t, testkit.Request{Path: "/api/v1/models?type=llm&limit=1000"}).Want(t, http.StatusOK).Body), `"parley-builtin"`)
	}
	got := set(object{"enabled_here": false}).Want(t, http.StatusOK)
	if !strings.Contains(string(got.Body), `"enabled_here":false`) || !strings.Contains(string(got.Body), `"enabled":true`) || offers(x) || !offers(other) {
		t.Errorf("off: %s; offered %v, to another account %v", got.Body, offers(x), offers(other))
	}
	ask := testkit.Request{Path: "/api/v1/completions", Body: object{"llm_id": "parley-builtin", "messages": []any{object{"role": "user", "content": "Hi"}}}}
	x.do(t, ask).Want(t, http.StatusBadRequest)
	other.do(t, ask).Want(t, http.StatusOK)
	if got := x.do(t, testkit.Request{Path: "/api/v1/admin/models?limit=1000"}); !strings.Contains(string(got.Body), `"enabled_here":false`) {
		t.Errorf("listed %s", got.Body)
	}
	set(object{"enabled_here": true}).Want(t, http.StatusOK)
	x.do(t, ask).Want(t, http.StatusOK)
	set(object{"enabled": false}).Want(t, http.StatusForbidden)
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/admin/models/" + x.id(t, "model_id"), Body: object{"enabled_here": false}}).Want(t, http.StatusBadRequest)
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/admin/models/none", Body: object{"enabled_here": false}}).Want(t, http.StatusNotFound)
}

func TestTheServersOwnProviderStays(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	operator := x.Key(t, testkit.Scopes("admin", "operator"))
	x.server.Do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/admin/providers/builtin", Key: operator.Text}).Want(t, http.StatusConflict)
	x.server.Do(t, testkit.Request{Path: "/api/v1/admin/providers/builtin", Key: operator.Text}).Want(t, http.StatusOK)
}
