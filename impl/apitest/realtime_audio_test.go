package apitest_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"parley/impl/core/model"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

const (
	bytesPerMs = 48 // of pcm16
	loud       = 0.3
)

// hum is pcm16 of a tone of so many milliseconds; amplitude 0 is silence.
func hum(ms int, amplitude float64) string {
	raw := make([]byte, 0, ms*bytesPerMs)
	for i := range ms * bytesPerMs / 2 {
		v := amplitude * math.MaxInt16 * math.Sin(2*math.Pi*float64(i)/60)
		raw = binary.LittleEndian.AppendUint16(raw, uint16(int16(v)))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func soundOf(t *testing.T, e object) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(e["delta"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func sends(sound string) string {
	return `{"type":"input_audio_buffer.append","audio":"` + sound + `"}`
}

// hearing gives the tenant a provider of language and speech, which are told apart by their names.
func (x tenant) hearing(t *testing.T, answers ...providertest.Answer) *providertest.Upstream {
	t.Helper()
	u := providertest.NewUpstream(t, answers...)
	u.AnswersModels(providertest.Models(testkit.UpstreamModel, "whisper-large", "kokoro-tts"))
	if _, _, err := x.server.App.Models.Add(t.Context(), model.AddInput{AccountID: x.ID, Name: "Speech", BaseURL: u.URL}); err != nil {
		t.Fatal(err)
	}
	return u
}

// updates changes a session in its shape.
func updates(beta bool, transcription, detection string) string {
	if beta {
		return `{"type":"session.update","session":{"input_audio_transcription":` + transcription + `,"turn_detection":` + detection + `,"voice":"verse"}}`
	}
	return `{"type":"session.update","session":{"type":"realtime","audio":{"input":{"transcription":` + transcription + `,"turn_detection":` + detection + `},"output":{"voice":"verse"}}}}`
}

// A spoken conversation, in both shapes, is as it was written down: heard,
// answered, cut to what was heard of it, and found by its words.
func TestRealtimeAudioTranscripts(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]http.Header{"beta-audio": inBeta(), "today-audio": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTenant(t)
			u := x.hearing(t, providertest.SSE("Four degrees", " today. ", "Take a coat, and a hat."))
			k := x.talkTo(t, "model="+testkit.UpstreamModel, header)
			beta := strings.HasPrefix(name, "beta")
			added := "conversation.item.done"
			if beta {
				added = "conversation.item.created"
			}
			matchGolden(t, name, k.transcript([][2]string{
				{"", "conversation.created"},
				{updates(beta, `{"model":"whisper-1","language":"en"}`, "null"), "session.updated"},
				{sends(hum(300, loud)), ""},
				{`{"type":"input_audio_buffer.commit"}`, "conversation.item.input_audio_transcription.completed"},
				{`{"type":"response.create"}`, "response.done"},
				{userSays("In words"), added},
				{`{"type":"response.create","response":{"` + modalitiesMember(beta) + `":["text"]}}`, "response.done"},
			}))
			k.checkSpoken(u)
		})
	}
}

func modalitiesMember(beta bool) string {
	if beta {
		return "modalities"
	}
	return "output_modalities"
}

// checkSpoken checks what the upstream was asked, and that what was said stays with the session.
func (k *talk) checkSpoken(u *providertest.Upstream) {
	k.t.Helper()
	var asked []string
	for _, r := range u.Received() {
		switch {
		case strings.HasSuffix(r.Path, "transcriptions"):
			asked = append(asked, fmt.Sprint(r.Body["model"], " ", r.Body["language"], " ", r.Body["file"]))
		case strings.HasSuffix(r.Path, "speech"):
			asked = append(asked, fmt.Sprint(r.Body["model"], " ", r.Body["voice"]))
		default:
			messages := r.Body["messages"].([]any)
			asked = append(asked, fmt.Sprint(in(messages[0], "content")))
		}
	}
	got := strings.Join(asked, "; ")
	if want := fmt.Sprintf("whisper-large en %d; What is the weather?; kokoro-tts verse", 44+300*bytesPerMs); !strings.HasPrefix(got, want) {
		k.t.Errorf("the upstream was asked %s", got)
	}
	done := k.seen[len(k.seen)-1]
	if in(done, "response", "usage", "output_token_details", "audio_tokens") != 0.0 {
		k.t.Errorf("an answer in words is not: %v", done)
	}
	for _, e := range k.seen {
		item := in(e, "response", "output", 0, "id")
		ms, spoken := in(e, "response", "output", 0, "content", 0, "duration_ms").(float64)
		if e["type"] != "response.done" || !spoken {
			continue
		}
		k.say(fmt.Sprintf(`{"type":"conversation.item.truncate","item_id":"%s","content_index":0,"audio_end_ms":%d}`, item, int(ms)/2))
		if cut := k.hear("conversation.item.truncated"); cut["audio_end_ms"] != float64(int(ms)/2) {
			k.t.Errorf("cut %v", cut)
		}
		k.say(fmt.Sprintf(`{"type":"conversation.item.retrieve","item_id":"%s"}`, item))
		if words := in(k.hear("conversation.item.retrieved"), "item", "content", 0, "transcript"); words != "Four degrees today." {
			k.t.Errorf("half of it is %v", words)
		}
		if got := k.mistake(fmt.Sprintf(`{"type":"conversation.item.truncate","item_id":"%s","content_index":0,"audio_end_ms":%d}`, item, int(ms))); got["param"] != "audio_end_ms" {
			k.t.Errorf("more than was said: %v", got)
		}
	}
}

// The server hears by itself when somebody has said something, and answers; who speaks interrupts it.
func TestRealtimeDetectsSpeech(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.hearing(t, providertest.SSE("It is four degrees today."))
	k := x.talkTo(t, "model="+testkit.UpstreamModel, nil)
	if got := k.hear("session.created"); in(got, "session", "audio", "input", "turn_detection", "type") != "server_vad" || in(got, "session", "output_modalities", 0) != "audio" {
		t.Errorf("a session with speech begins %v", got)
	}
	k.say(sends(hum(1000, 0)))
	k.say(sends(hum(600, loud)))
	if got := k.hear("input_audio_buffer.speech_started"); got["audio_start_ms"] != 700.0 {
		t.Errorf("began %v", got)
	}
	u.AnswersSpeech(providertest.SoundThenHold)
	k.say(sends(hum(600, 0)))
	stopped := k.hear("input_audio_buffer.speech_stopped")
	if at := stopped["audio_end_ms"].(float64); at < 2100 || at > 2140 {
		t.Errorf("ended at %v", at)
	}
	committed := k.hear("input_audio_buffer.committed")
	if item := in(k.hear("conversation.item.done"), "item"); in(item, "id") != stopped["item_id"] || committed["item_id"] != stopped["item_id"] {
		t.Errorf("the item of %v and %v is %v", stopped, committed, item)
	}
	k.hear("response.output_audio.delta")
	k.say(sends(hum(300, loud)))
	done := k.hear("response.done")
	if in(done, "response", "status") != "cancelled" || in(done, "response", "status_details", "reason") != "turn_detected" {
		t.Errorf("interrupted: %v", done)
	}
	<-u.Gone // the speech provider was told
	u.AnswersSpeech(providertest.Sounds)
	k.say(sends(hum(600, 0)))
	if done := k.hear("response.done"); in(done, "response", "status") != "completed" {
		t.Errorf("the answer to what interrupted: %v", done)
	}
}

func TestRealtimeAudioIsCancelled(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.hearing(t, providertest.SSE("It is four degrees today."))
	u.AnswersSpeech(providertest.SoundThenHold)
	x.Price(t, "kokoro-tts", 0, 1000)
	k := x.talkTo(t, "model="+testkit.UpstreamModel, inBeta())
	k.say(userSays("How cold is it?"))
	k.say(`{"type":"response.create"}`)
	k.hear("response.audio.delta")
	k.say(`{"type":"response.cancel"}`)
	done := k.hear("response.done")
	if in(done, "response", "status") != "cancelled" || in(done, "response", "status_details", "reason") != "client_cancelled" {
		t.Errorf("ended %v", done)
	}
	<-u.Gone
	if e := x.lastEntry(t); e.Output == 0 || e.Amount == 0 {
		t.Errorf("what was spoken is not paid: %+v", e)
	}
}

// Speech costs what its models cost, and nothing is heard or spoken without money.
func TestRealtimeAudioIsPaid(t *testing.T) {
	t.Parallel()
	for _, modelID := range []string{"whisper-large", "kokoro-tts"} {
		t.Run(modelID, func(t *testing.T) {
			t.Parallel()
			x := tenantOf(t, testkit.Shared(t), testkit.Unlimited, 0)
			x.hearing(t, providertest.SSE("It is four degrees today."))
			x.Price(t, modelID, 100_000, 100_000)
			k := x.talkTo(t, "model="+testkit.UpstreamModel, nil)
			k.say(updates(false, `{}`, "null"))
			speak := func(last string) object {
				k.say(sends(hum(300, loud)))
				k.say(`{"type":"input_audio_buffer.commit"}`)
				heard := k.hear(last)
				k.say(`{"type":"response.create"}`)
				done := k.hear("response.done")
				if in(done, "response", "status") == "completed" {
					return done
				}
				return object{"done": in(done, "response", "status_details", "error", "code"), "heard": in(heard, "error", "code")}
			}
			heard := "conversation.item.input_audio_transcription."
			first := heard + "completed"
			if modelID == "whisper-large" {
				first = heard + "failed"
			}
			if got := speak(first); got["done"] != "insufficient_quota" || strings.HasSuffix(first, "failed") && got["heard"] != "insufficient_quota" {
				t.Fatalf("without money: %v", got)
			}
			x.Grant(t, plenty)
			got := speak(heard + "completed")
			if in(got, "response", "usage", "output_token_details", "audio_tokens") == 0.0 {
				t.Errorf("with money: %v", got)
			}
			if m := x.Money(t); m.SpentMicros == 0 || m.HeldMicros != 0 {
				t.Errorf("money %+v", m)
			}
		})
	}
}

func TestRealtimeAudioIsBounded(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.hearing(t)
	k := x.talkTo(t, "model="+testkit.UpstreamModel, nil)
	k.say(updates(false, "{}", "null"))
	for event, code := range map[string]string{
		`{"type":"input_audio_buffer.append"}`:                      "missing_required_parameter",
		sends("?"):                                                  "invalid_value",
		`{"type":"input_audio_buffer.commit"}`:                      "input_audio_buffer_commit_empty",
		`{"type":"output_audio_buffer.clear"}`:                      "unsupported_event",
		updates(false, "{}", `{"type":"semantic_vad"}`):             "invalid_value",
		updates(false, "{}", `{"type":"server_vad","threshold":2}`): "invalid_value",
	} {
		if got := k.mistake(event); got["code"] != code {
			t.Errorf("%s: %v", event, got)
		}
	}
	tenSeconds := sends(hum(10_000, 0))
	for range 18 {
		k.say(tenSeconds)
	}
	if got := k.mistake(tenSeconds); got["code"] != "input_audio_buffer_full" {
		t.Errorf("more than three minutes: %v", got)
	}
	k.say(`{"type":"input_audio_buffer.clear"}`)
	k.hear("input_audio_buffer.cleared")
	if got := k.mistake(`{"type":"input_audio_buffer.commit"}`); got["code"] != "input_audio_buffer_commit_empty" {
		t.Errorf("cleared: %v", got)
	}
	// Items may bring their sound along; what cannot be understood is said to be so.
	u.AnswersTranscriptions(providertest.Body("text/plain", "no JSON"))
	k.say(`{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_audio","audio":"` + hum(200, loud) + `"}]}}`)
	if got := k.hear("conversation.item.input_audio_transcription.failed"); in(got, "error", "type") != "server_error" {
		t.Errorf("not understood: %v", got)
	}
	k.say(`{"type":"response.create"}`)
	if done := k.hear("response.done"); in(done, "response", "status") != "failed" {
		t.Errorf("an answer to what was not understood: %v", done)
	}
}

// Telephones speak and hear in their own encoding.
func TestRealtimeSpeaksNarrowly(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.hearing(t, providertest.SSE("Twenty-four letters here."))
	k := x.talkTo(t, "model="+testkit.UpstreamModel, nil)
	k.say(`{"type":"session.update","session":{"type":"realtime","audio":{"input":{"format":{"type":"audio/pcmu"},"turn_detection":null,"transcription":{}},"output":{"format":{"type":"audio/pcma"}}}}}`)
	k.hear("session.updated")
	k.say(sends(base64.StdEncoding.EncodeToString(make([]byte, 8*200))))
	k.say(`{"type":"input_audio_buffer.commit"}`)
	if item := in(k.hear("conversation.item.added"), "item", "content", 0); in(item, "duration_ms") != 200.0 {
		t.Errorf("heard %v", item)
	}
	k.say(`{"type":"response.create"}`)
	done := k.hear("response.done")
	bytes := 0
	for _, e := range k.seen {
		if e["type"] == "response.output_audio.delta" {
			bytes += len(soundOf(t, e))
		}
	}
	if want := 25 * providertest.SoundMs * 8; bytes != want || in(done, "response", "output", 0, "content", 0, "duration_ms") != float64(want/8) {
		t.Errorf("spoke %d bytes: %v", bytes, done)
	}
}
