package apitest_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"strings"
	"sync"
	"testing"

	"parley/db"
	"parley/gen/client/characters"
	"parley/impl/testkit"
)

const uploadsPath = "/api/v1/uploads"

// photo is a picture of one color, as a PNG.
func photo(t *testing.T, width, height int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = byte(i * 7)
	}
	m.Set(0, 0, color.White)
	var out bytes.Buffer
	if err := png.Encode(&out, m); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func dataURL(kind string, raw []byte) string {
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(raw)
}

// upload sends a picture in a form and returns what became of it.
func (x tenant) upload(t *testing.T, raw []byte) characters.Upload {
	t.Helper()
	var made characters.Upload
	x.do(t, form(t, uploadsPath, part{"file", "a b.png", "image/png", string(raw)})).Want(t, http.StatusCreated).JSON(t, &made)
	return made
}

func TestUploadsAreStoredListedShownAndDeleted(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	raw := photo(t, 30, 20)
	first := x.upload(t, raw)
	if first.Name != "a b.png" || first.Width != 30 || first.Height != 20 || first.MediaType != "image/png" || first.Bytes < 1 {
		t.Errorf("made %+v", first)
	}
	var second characters.Upload
	got := x.do(t, testkit.Request{Path: uploadsPath, Body: object{"url": dataURL("image/webp", raw), "name": "two"}}).Want(t, http.StatusCreated)
	got.JSON(t, &second)
	wantHeader(t, got, "Location", uploadsPath+"/"+second.ID)
	var page []characters.Upload
	list := x.get(t, uploadsPath+"?limit=1", &page)
	if len(page) != 1 || page[0].ID != second.ID || !strings.Contains(list.Header.Get("Link"), "cursor="+second.ID) {
		t.Errorf("listed %+v, %s", page, list.Header.Get("Link"))
	}
	x.get(t, uploadsPath+"?cursor="+second.ID, &page)
	if len(page) < 1 || page[0].ID != first.ID {
		t.Errorf("then %+v", page)
	}
	shown := x.download(t, first.URL, nil).Want(t, http.StatusOK)
	wantHeader(t, shown, "Cache-Control", "private, max-age=300")
	wantHeader(t, shown, "X-Content-Type-Options", "nosniff")
	if m, err := png.Decode(bytes.NewReader(shown.Body)); err != nil || m.Bounds().Dx() != 30 {
		t.Errorf("downloaded %v", err)
	}
	x.do(t, testkit.Request{Path: "/api/v1/images/" + x.id(t, "image_id")}).Want(t, http.StatusOK)
	x.do(t, testkit.Request{Path: uploadsPath + "/" + x.id(t, "image_id")}).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: uploadsPath + "/" + x.id(t, "image_id")}).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: uploadsPath + "/" + first.ID}).Want(t, http.StatusNoContent)
	x.do(t, testkit.Request{Path: uploadsPath + "/" + first.ID}).Want(t, http.StatusNotFound)
	x.download(t, first.URL, nil).Want(t, http.StatusNotFound)
}

// Whatever is no picture is refused, whatever it is called; of a picture nothing but pixels stays.
func TestHostileUploadsAreRefusedOrMadeHarmless(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	const script = "<script>alert(document.domain)</script>"
	for what, raw := range map[string]string{
		"an SVG": `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "a page": "<!doctype html>" + script, "a PDF": "%PDF-1.7\n" + script,
		"a program": "\x7fELF" + strings.Repeat("\x00", 64), "half": string(photo(t, 9, 9)[:40]), "a head alone": "\x89PNG\r\n\x1a\n", "nothing": "",
		"a bomb": "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xff\xff\x00\x00\xff\xff\x08\x06\x00\x00\x00\x00\x00\x00\x00",
	} {
		got := x.do(t, form(t, uploadsPath, part{"file", "innocent.png", "image/png", raw})).Want(t, http.StatusBadRequest)
		if strings.Contains(string(got.Body), "alert") {
			t.Errorf("%s: echoed %s", what, got.Body)
		}
		if raw != "" {
			x.do(t, testkit.Request{Path: uploadsPath, Body: object{"url": dataURL("image/png", []byte(raw))}}).Want(t, http.StatusBadRequest)
		}
	}
	for _, url := range []string{"data:image/png;base64,!!!!", "data:image/svg+xml;base64,AAAA", "data:image/png,AAAAAAAAAAAAAAAAAAAAAA", "https://example.com/picture.png"} {
		x.do(t, testkit.Request{Path: uploadsPath, Body: object{"url": url}}).Want(t, http.StatusBadRequest)
	}
	var photograph bytes.Buffer
	if err := jpeg.Encode(&photograph, image.NewGray(image.Rect(0, 0, 40, 40)), nil); err != nil {
		t.Fatal(err)
	}
	place := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00 52.5200 N 13.4050 E"
	withPlace := "\xff\xd8\xff\xe1\x00" + string(rune(len(place)+2)) + place + photograph.String()[2:]
	for what, raw := range map[string]string{
		"a page behind a picture": string(photo(t, 40, 40)) + "<html>" + script, "a photograph with its place": withPlace,
		"a zip behind a JPEG": photograph.String() + "PK\x03\x04" + script,
	} {
		made := x.upload(t, []byte(raw))
		got := x.download(t, made.URL, nil).Want(t, http.StatusOK)
		for _, left := range []string{"script", "html", "52.5200", "PK\x03"} {
			if bytes.Contains(got.Body, []byte(left)) {
				t.Errorf("%s: %q is served", what, left)
			}
		}
		if kind := got.Header.Get("Content-Type"); !strings.HasPrefix(kind, "image/") || made.Width != 40 {
			t.Errorf("%s: served as %s, %d wide", what, kind, made.Width)
		}
	}
}

// Of many uploads at once none gets past what the plan allows.
func TestUploadsTogetherStayWithinThePlan(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	raw := photo(t, 64, 64)
	one := x.upload(t, raw)
	used, _, err := x.server.DB.StoredBytes(t.Context(), x.ID)
	if err != nil {
		t.Fatal(err)
	}
	plan := x.Plan(t)
	most := used + 3*one.Bytes
	plan.StorageBytes = &most
	if _, err := x.server.App.Accounts.PutPlan(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if _, err := sql(t, x.server).Exec(`update accounts set plan = $2 where account_id = $1`, x.ID, plan.Name); err != nil {
		t.Fatal(err)
	}
	statuses := make(chan int, 12)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			r := testkit.Request{Path: uploadsPath, Body: object{"url": dataURL("image/png", raw), "name": fmt.Sprint(i)}}
			statuses <- x.do(t, r).Status
		})
	}
	all.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	if count[http.StatusCreated] != 3 || count[http.StatusConflict] != 9 {
		t.Errorf("12 uploads with room for 3: %v", count)
	}
	c := x.Conversation(t, nil)
	x.do(t, testkit.Request{Path: "/api/v1/conversations/" + c.ID + "/messages", Body: object{
		"content": "Look", "images": []any{object{"url": dataURL("image/png", raw)}},
	}}).Want(t, http.StatusConflict)
	if after, _, err := x.server.DB.StoredBytes(t.Context(), x.ID); err != nil || after != most {
		t.Errorf("%d bytes stored of %d, %v", after, most, err)
	}
	if n := blobsOf(t, x.server, x.ID); n != 4 {
		t.Errorf("%d files are kept of 4 pictures", n)
	}
}

func TestADeletedAccountsUploadsAreGone(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	made := x.upload(t, photo(t, 16, 16))
	if err := x.server.DB.EraseImages(t.Context(), x.ID, db.ScopeAccount, "", made.CreatedAt.Add(1)); err != nil {
		t.Fatal(err)
	}
	x.do(t, testkit.Request{Path: uploadsPath + "/" + made.ID}).Want(t, http.StatusNotFound)
	x.download(t, made.URL, nil).Want(t, http.StatusNotFound)
}
