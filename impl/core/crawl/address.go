package crawl

import (
	"net/url"
	"path"
	"strings"

	"parley/impl/core/fault"
	"parley/impl/outbound"
)

const addressBytesMax = 2000

// Normalize returns an address in the one spelling that a page has here: lower
// case host, no default port, no fragment, no dot segments, no parameters that
// only count visitors. Errors are fault.Invalid.
func Normalize(address string) (string, error) {
	u, err := parse(address)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

func parse(address string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || len(address) > addressBytesMax || strings.Contains(address, "\\") {
		return nil, fault.New(fault.Invalid, "This is not the address of a web page.").Because(err)
	}
	if err := outbound.CheckURL(u); err != nil {
		return nil, fault.New(fault.Invalid, "This address is not allowed.").Because(err)
	}
	u.Host = strings.TrimSuffix(strings.ToLower(u.Host), ".")
	if port := u.Port(); port == "80" && u.Scheme == "http" || port == "443" && u.Scheme == "https" {
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	u.Fragment, u.RawFragment, u.ForceQuery = "", "", false
	u = u.ResolveReference(&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: withoutCounters(u.RawQuery)})
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// withoutCounters drops the parameters of advertisements and newsletters.
func withoutCounters(query string) string {
	if query == "" {
		return ""
	}
	var kept []string
	for _, part := range strings.Split(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		if part != "" && !strings.HasPrefix(name, "utm_") && name != "gclid" && name != "fbclid" && name != "mc_cid" && name != "mc_eid" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// scope is what belongs to a site: a host, with and without www, and a folder.
type scope struct{ host, folder string }

// scopeOf is the site of a start page: what lies in its folder.
func scopeOf(start *url.URL) scope {
	return scope{host: bareHost(start), folder: start.EscapedPath()[:strings.LastIndexByte(start.EscapedPath(), '/')+1]}
}

func (s scope) holds(u *url.URL) bool {
	return bareHost(u) == s.host && strings.HasPrefix(u.EscapedPath(), s.folder)
}

func bareHost(u *url.URL) string { return strings.TrimPrefix(u.Host, "www.") }

// notPages are endings of what no reader of documents reads.
var notPages = map[string]bool{}

func init() {
	for _, ending := range strings.Fields(`.jpg .jpeg .png .gif .webp .avif .svg .ico .bmp .tif .tiff .css .js .mjs .map .json .xml .rss .atom
		.woff .woff2 .ttf .otf .eot .mp3 .mp4 .m4a .m4v .mov .avi .mkv .webm .ogg .wav .flac .zip .gz .tgz .bz2 .xz .7z .rar .tar
		.exe .msi .dmg .pkg .deb .rpm .apk .iso .bin .jar .wasm`) {
		notPages[ending] = true
	}
}

func looksLikePage(u *url.URL) bool { return !notPages[strings.ToLower(path.Ext(u.Path))] }
