// Package file is how pictures come in and go out: links that nobody can guess
// or change, and the cleaning of what people and upstreams send, so that nothing
// active is ever served.
package file

import (
	"encoding/json"
	"strings"
	"time"

	"parley/impl/core/credential"
)

// tokenKind begins the names of files. No request is authenticated by one.
const tokenKind credential.Kind = "f_"

// extensions are those of the kinds of files that are served.
var extensions = map[string]string{"image/png": ".png", "image/jpeg": ".jpg"}

// Target is what a link leads to.
type Target struct {
	AccountID string `json:"a"`
	ImageID   string `json:"i"`
	Expires   int64  `json:"e,omitempty"` // Unix seconds; 0: it does not
}

// Links makes and reads the names of files. A name is signed: it leads to one
// file, until its end where it has one, and needs no other credential.
type Links struct {
	Credentials *credential.Minter
	Now         func() time.Time
}

// Path returns the address of a file of a media type, relative to the server.
// A zero expires is for good: the same file then has the same address.
func (l *Links) Path(accountID, imageID, mediaType string, expires time.Time) string {
	t := Target{AccountID: accountID, ImageID: imageID}
	if !expires.IsZero() {
		t.Expires = expires.Unix()
	}
	payload, err := json.Marshal(t)
	if err != nil {
		panic(err) // a plain struct
	}
	return "/files/" + l.Credentials.Sign(tokenKind, payload) + extensions[mediaType]
}

// Open returns what a name leads to; false when it was not made here or has expired.
func (l *Links) Open(name string) (Target, bool) {
	text, _, _ := strings.Cut(name, ".")
	payload, genuine := l.Credentials.Payload(tokenKind, text)
	var t Target
	if !genuine || json.Unmarshal(payload, &t) != nil {
		return Target{}, false
	}
	return t, t.Expires == 0 || l.Now().Before(time.Unix(t.Expires, 0))
}
