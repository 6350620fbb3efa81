package extract

import (
	"bytes"
	"mime"
	"path"
	"strings"
	"unicode/utf8"
)

// format is a kind of file that is read.
type format int

const (
	formatText format = iota
	formatCSV
	formatJSON
	formatHTML
	formatMarkdown
	formatPDF
	formatArchive // DOCX, XLSX, PPTX and EPUB: which one is seen inside
)

// pageBytesMax is the length up to which formats whose readers are linear in the
// input are read in the server's own process.
const pageBytesMax = 1 << 20

// risky says whether a file is read by a child process. Markdown is, at any
// length: its reader recurses, and a stack that overflows ends the process.
func (f format) risky(size int) bool {
	switch f {
	case formatText, formatCSV, formatJSON, formatHTML:
		return size > pageBytesMax
	default:
		return true
	}
}

// sniff decides what the file is. The content decides; among kinds of text,
// which look alike, the name's ending and the declared type do.
func (in input) sniff() (format, error) {
	head := in.content[:min(len(in.content), 1024)]
	if len(bytes.TrimSpace(in.content)) == 0 {
		return 0, refuse("The file is empty.")
	}
	if i := bytes.Index(head, []byte("%PDF-")); i >= 0 && (i == 0 || binary(head)) {
		return formatPDF, nil
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return formatArchive, nil
	}
	for magic, reason := range refused {
		if bytes.HasPrefix(head, []byte(magic)) {
			return 0, refuse("%s", reason)
		}
	}
	if binary(in.content) {
		return 0, refuse("This kind of file is not read. Readable are %s.", readable)
	}
	return in.textFormat(head)
}

const readable = "HTML, Markdown, text, CSV, JSON, PDF, DOCX, XLSX, PPTX and EPUB"

var refused = map[string]string{
	"\xD0\xCF\x11\xE0": "Office files of before 2007 and Office files with a password are not read. Save it as DOCX, XLSX or PPTX without a password.",
	"{\\rtf":           "RTF files are not read. Save it as DOCX or PDF.",
	"\x89PNG":          "Images are not read: recognition of text in pictures is not available.",
	"\xFF\xD8\xFF":     "Images are not read: recognition of text in pictures is not available.",
	"GIF8":             "Images are not read: recognition of text in pictures is not available.",
	"II*\x00":          "Images are not read: recognition of text in pictures is not available.",
	"MM\x00*":          "Images are not read: recognition of text in pictures is not available.",
	"RIFF":             "Images, sound and video are not read.",
	"ID3":              "Sound and video are not read.",
	"OggS":             "Sound and video are not read.",
	"\x1F\x8B":         "Compressed files are not read. Upload what is inside.",
	"Rar!":             "Archives are not read. Upload what is inside.",
	"7z\xBC\xAF":       "Archives are not read. Upload what is inside.",
	"PK\x05\x06":       "The archive is empty.",
	"\x7FELF":          "Programs are not read.",
	"MZ\x90":           "Programs are not read.",
}

// binary says whether data is something else than text. UTF-16 is text.
func binary(data []byte) bool {
	if bytes.HasPrefix(data, []byte("\xFF\xFE")) || bytes.HasPrefix(data, []byte("\xFE\xFF")) {
		return false
	}
	head := data[:min(len(data), 64<<10)]
	controls := 0
	for _, c := range head {
		if c == 0 {
			return true
		}
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1B {
			controls++
		}
	}
	return controls > len(head)/50
}

func (in input) textFormat(head []byte) (format, error) {
	declared, _, _ := mime.ParseMediaType(in.Type)
	ending := strings.ToLower(path.Ext(baseName(in.Name)))
	if looksLikeHTML(head) {
		return formatHTML, nil
	}
	if isWebAddress(in.Name) || ending == "" {
		if f, ok := byType[declared]; ok {
			return f, nil
		}
	}
	if f, ok := byEnding[ending]; ok {
		return f, nil
	}
	if f, ok := byType[declared]; ok {
		return f, nil
	}
	general := declared == "" || declared == "application/octet-stream" || declared == "binary/octet-stream"
	if !general || bytes.HasPrefix(bytes.TrimSpace(head), []byte("<?xml")) || notProse[ending] {
		return 0, refuse("This kind of file is not read. Readable are %s.", readable)
	}
	if trimmed := bytes.TrimSpace(head); utf8.Valid(in.content) && (trimmed[0] == '{' || trimmed[0] == '[') && validJSON(in.content) {
		return formatJSON, nil
	}
	return formatText, nil
}

var byEnding = map[string]format{
	".txt": formatText, ".text": formatText, ".log": formatText, ".rst": formatText, ".adoc": formatText,
	".csv": formatCSV, ".tsv": formatCSV, ".json": formatJSON, ".jsonl": formatJSON, ".ndjson": formatJSON,
	".html": formatHTML, ".htm": formatHTML, ".xhtml": formatHTML, ".md": formatMarkdown, ".markdown": formatMarkdown, ".mdx": formatMarkdown,
}

var byType = map[string]format{
	"text/plain": formatText, "text/csv": formatCSV, "text/tab-separated-values": formatCSV,
	"application/json": formatJSON, "application/ld+json": formatJSON, "application/x-ndjson": formatJSON, "application/jsonl": formatJSON,
	"text/html": formatHTML, "application/xhtml+xml": formatHTML, "text/markdown": formatMarkdown, "text/x-markdown": formatMarkdown,
}

// notProse are endings of text that nobody asks questions about.
var notProse = map[string]bool{
	".xml": true, ".css": true, ".js": true, ".mjs": true, ".svg": true, ".rss": true, ".atom": true, ".rtf": true, ".pem": true, ".key": true,
}

func looksLikeHTML(head []byte) bool {
	head = bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF")), " \t\r\n"))
	if bytes.HasPrefix(head, []byte("<?xml")) {
		return bytes.Contains(head, []byte("<html"))
	}
	for _, start := range []string{"<!doctype html", "<html", "<head", "<body"} {
		if bytes.HasPrefix(head, []byte(start)) {
			return true
		}
	}
	return false
}

func isWebAddress(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}
