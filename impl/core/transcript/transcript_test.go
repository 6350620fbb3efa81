package transcript_test

import (
	"strings"
	"testing"
	"time"

	"parley/impl/core/transcript"
)

var at = time.Date(2025, 4, 1, 12, 0, 0, 0, time.UTC)

func conversation() transcript.Conversation {
	return transcript.Conversation{Title: "Hello [world](javascript:alert(1)) <b>", Exported: at, Truncated: true, Messages: []transcript.Message{
		{Speaker: "user", At: at, Text: "# No heading\n```\n<script>alert(1)</script>\n````\nend"},
		{Speaker: "Ada </h2>", At: at, Text: "Hi", Pictures: []string{"https://parley.example/files/f_x.png"}},
	}}
}

func TestMarkdownHoldsTextsAsTexts(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := transcript.Markdown(&out, conversation()); err != nil {
		t.Fatal(err)
	}
	want := "# Hello \\[world\\]\\(javascript:alert\\(1\\)\\) \\<b\\>\n\nExported 2025-04-01 12:00 UTC\n" +
		"\n## user, 2025-04-01 12:00 UTC\n\n`````text\n# No heading\n```\n<script>alert(1)</script>\n````\nend\n`````\n" +
		"\n## Ada \\</h2\\>, 2025-04-01 12:00 UTC\n\n```text\nHi\n```\n\n![picture](<https://parley.example/files/f_x.png>)\n" +
		"\n*There are more messages.*\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestThePageHoldsTextsAsTexts(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := transcript.Page(&out, conversation()); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<b>", "Ada </h2>"} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("%q is markup in\n%s", bad, out.String())
		}
	}
	for _, good := range []string{"&lt;script&gt;alert(1)&lt;/script&gt;", `<img src="https://parley.example/files/f_x.png"`, "There are more messages."} {
		if !strings.Contains(out.String(), good) {
			t.Errorf("%q is missing", good)
		}
	}
}
