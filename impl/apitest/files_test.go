package apitest_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/db"
	"parley/impl/core/file"
	"parley/impl/testkit"
)

// links are those of the server, at another time.
func (x tenant) links(at time.Time) *file.Links {
	return &file.Links{Credentials: x.server.App.Keys.Credentials, Now: func() time.Time { return at }}
}

func TestAFileIsServedSafelyWholeInPartsAndOnce(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for _, media := range []string{"image/png", "image/jpeg"} {
		row := x.Image(t, func(i *db.Image) { i.MediaType = media })
		path := x.links(time.Now()).Path(x.ID, row.ID, media, time.Time{})
		whole := x.server.Do(t, testkit.Request{Path: path}).Want(t, http.StatusOK)
		for name, want := range map[string]string{
			"Content-Type": media, "X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=31536000, immutable",
			"Content-Disposition":     `inline; filename="` + row.ID + path[strings.LastIndexByte(path, '.'):] + `"`,
			"Content-Security-Policy": "default-src 'none'; sandbox", "Accept-Ranges": "bytes",
		} {
			wantHeader(t, whole, name, want)
		}
		if int64(len(whole.Body)) != row.Bytes {
			t.Errorf("%d bytes of %d", len(whole.Body), row.Bytes)
		}
		part := x.server.Do(t, testkit.Request{Path: path, Header: map[string]string{"Range": "bytes=3-9"}}).Want(t, http.StatusPartialContent)
		if !bytes.Equal(part.Body, whole.Body[3:10]) {
			t.Errorf("the part is %q", part.Body)
		}
		for _, other := range []string{"bytes=0-1,3-4", "lines=1-2", "bytes=-"} {
			x.server.Do(t, testkit.Request{Path: path, Header: map[string]string{"Range": other}}).Want(t, http.StatusOK)
		}
		x.server.Do(t, testkit.Request{Path: path, Header: map[string]string{"Range": "bytes=100000-"}}).Want(t, http.StatusRequestedRangeNotSatisfiable)
		x.server.Do(t, testkit.Request{Path: path, Header: map[string]string{"If-None-Match": whole.Header.Get("ETag")}}).Want(t, http.StatusNotModified)
		head := x.server.Do(t, testkit.Request{Method: http.MethodHead, Path: path}).Want(t, http.StatusOK)
		if len(head.Body) != 0 {
			t.Error("HEAD has a body")
		}
	}
}

func TestNamesOfFilesCannotBeGuessedChangedOrOutlived(t *testing.T) {
	t.Parallel()
	x, other := newTenant(t), newTenant(t)
	row := x.Image(t)
	now := time.Now()
	links := x.links(now)
	good := links.Path(x.ID, row.ID, row.MediaType, now.Add(time.Minute))
	x.server.Do(t, testkit.Request{Path: good}).Want(t, http.StatusOK)
	name := strings.TrimSuffix(strings.TrimPrefix(good, "/files/"), ".png")
	changed := []byte(name)
	changed[len(changed)/2] ^= 1
	for what, path := range map[string]string{
		"an id":             "/files/" + row.ID + ".png",
		"changed":           "/files/" + strings.Map(letters, string(changed)) + ".png",
		"cut":               "/files/" + name[:len(name)-1] + ".png",
		"of another's":      links.Path(other.ID, row.ID, row.MediaType, time.Time{}),
		"over":              links.Path(x.ID, row.ID, row.MediaType, now.Add(-time.Minute)),
		"of a key":          "/files/" + x.key.Text + ".png",
		"of one not ready":  links.Path(x.ID, x.Image(t, func(i *db.Image) { i.State = db.ImageFailed }).ID, row.MediaType, time.Time{}),
		"of one never made": links.Path(x.ID, "img_never", row.MediaType, time.Time{}),
	} {
		if got := x.server.Do(t, testkit.Request{Path: path}); got.Status != http.StatusNotFound {
			t.Errorf("%s: %d", what, got.Status)
		}
	}
	x.server.Do(t, testkit.Request{Path: "/files/f_x.svg"}).Want(t, http.StatusBadRequest)
}

// letters keeps a changed byte inside what a name may hold.
func letters(r rune) rune {
	if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '_' || r == '-' {
		return r
	}
	return 'A'
}

// fileName is the name of a picture that is not among the tenant's images.
func (x tenant) fileName(t *testing.T) string {
	t.Helper()
	row := x.Image(t, func(i *db.Image) { i.Purpose = db.ImageAvatar })
	return strings.TrimPrefix(x.links(time.Now()).Path(x.ID, row.ID, row.MediaType, time.Time{}), "/files/")
}
