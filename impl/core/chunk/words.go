package chunk

import (
	"strings"
	"unicode"

	"github.com/abadojack/whatlanggo"
)

// littleWords are the most frequent words of languages in Latin letters. Words
// of several languages count for each: only what differs decides.
var littleWords = map[string]string{
	"en": "the of and to in is that it for as with was on are be this by or from at you have not can your we will if when which their an all",
	"de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde wenn",
	"fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec son vous nous ou être cette aux mais leur votre si",
	"es": "de la que el en y a los se del las un por con no una su para es al lo como más pero sus le ya o este sí porque esta entre cuando muy sin sobre también me hasta hay donde",
	"it": "di e il la che in a per un del è non una sono si della con da i le dei nel al alla come più anche ma gli delle questo su lo o se ha degli essere",
	"pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu sua ou ser quando muito há nos já está eu também só pelo pela",
	"nl": "de van het een en in is dat op te zijn met voor niet aan er om ook als dan maar bij of uit door worden nog kan naar heeft hij ze wordt deze je dit",
	"sv": "och i att det som en på är av för med till den har de inte om ett men var jag sig från vi så kan när eller ska du alla också efter",
	"da": "og i at det er en til af på som for den med der de ikke har et fra kan var jeg sig men om vi eller skal ved også efter blev hvis du når",
	"no": "og i å det er en til av på som for den med de ikke har et fra kan var jeg seg men om vi eller skal ved også etter ble hvis du når må",
	"fi": "ja on ei se että oli hän mutta ovat kun niin tai myös jos kuin ole voi sen joka mukaan sekä vain mitä olla ne tämä",
	"hu": "a az és hogy nem is egy ez volt meg csak mint de vagy már ha el még ki van azt lehet minden kell szerint után",
	"ro": "de și în a la cu pe nu o care să din un mai este că sunt pentru se ce ca sau fi dar prin după această",
	"tr": "ve bir bu da de için ile çok daha olarak gibi olan kadar ne sonra her değil var mı ama en ya veya",
	"id": "yang dan di untuk dengan dari ini pada adalah tidak dalam ke akan itu atau juga oleh karena dapat saya kami anda bisa lebih",
	"lt": "ir yra kad į su iš tai kaip bet buvo ar už apie nuo per tik jau jis po dar savo",
	"ca": "de la i que el en a les els un per amb del una és no al es són més com però aquest seva també",
	"pl": "w i na z się nie do to że jest o jak po od za dla przez ale są tego może jego oraz lub już tylko być",
	"cs": "a se v na je že to s z do o i ve jako za by ale po jsou pro tak od při aby také který nebo být bylo",
}

// wordVotes says which languages a word speaks for.
var wordVotes = map[string][]string{}

// common are the languages that statistics tell apart: those that Postgres knows
// and large ones that it does not. Rarer ones would mostly be met by mistake, as
// texts in large languages look like them.
var common = map[whatlanggo.Lang]bool{}

func init() {
	for tag, words := range littleWords {
		for word := range strings.FieldsSeq(words) {
			wordVotes[word] = append(wordVotes[word], tag)
		}
	}
	for code := range strings.FieldsSeq(`arb dan nld eng fin fra deu ell hin hun ind ita lit nep nob por ron rus srp spa swe tam tur ydd
		cmn jpn kor pol ces ukr bul heb tha vie pes ben urd hrv slv est lav`) {
		if l := whatlanggo.CodeToLang(code); l >= 0 {
			common[l] = true
		}
	}
}

const votesMin = 3

// byLittleWords returns the tag of the language that most little words of text
// speak for, "" when they are few or speak for several. Listed says that text
// holds many of them, so that nothing else should be guessed.
func byLittleWords(text string) (tag string, listed bool) {
	votes := map[string]int{}
	words := 0
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		words++
		for _, tag := range wordVotes[word] {
			votes[tag]++
		}
	}
	first, second := 0, 0
	for candidate, n := range votes {
		switch {
		case n > first:
			tag, first, second = candidate, n, first
		case n > second:
			second = n
		}
	}
	listed = first >= votesMin && first*10 >= words
	if !listed || first*4 < second*5 {
		return "", listed
	}
	return tag, true
}
