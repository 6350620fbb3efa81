package httpd

import (
	"strings"

	"github.com/tidwall/gjson"
)

// essential returns a document without what is there for its readers alone: texts, examples, links and what answers
// hold. That is two thirds of it, and what is read of it at the start would leave the heap in pieces.
func essential(raw []byte) []byte {
	return appendEssential(make([]byte, 0, len(raw)/2), gjson.ParseBytes(raw), "")
}

// appendEssential appends a value that is the member under of its object, as the document's format names it: "" for
// those whose name is anybody's.
func appendEssential(dst []byte, v gjson.Result, under string) []byte {
	switch {
	case under == "default" || under == "enum" || strings.HasPrefix(under, "x-"):
		return append(dst, v.Raw...) // a value, not a part of the format
	case v.IsArray():
		return appendItems(dst, v)
	case !v.IsObject():
		return append(dst, v.Raw...)
	}
	dst = append(dst, '{')
	begun := len(dst)
	v.ForEach(func(name, member gjson.Result) bool {
		as, kept := partOf(under, name.Str, member)
		if !kept {
			return true
		}
		if len(dst) > begun {
			dst = append(dst, ',')
		}
		dst = appendEssential(append(append(dst, name.Raw...), ':'), member, as)
		return true
	})
	return append(dst, '}')
}

func appendItems(dst []byte, list gjson.Result) []byte {
	dst = append(dst, '[')
	begun := len(dst)
	list.ForEach(func(_, item gjson.Result) bool {
		if len(dst) > begun {
			dst = append(dst, ',')
		}
		dst = appendEssential(dst, item, "")
		return true
	})
	return append(dst, ']')
}

// answer is what the values of "responses" are.
const answer = "response"

// partOf tells whether a member of an object is kept, and as what.
func partOf(under, name string, member gjson.Result) (as string, kept bool) {
	switch under {
	case "properties":
		return "", true // names are those of a body's members
	case "responses":
		return answer, true
	case answer:
		return name, name == "headers" || name == "$ref"
	}
	switch name {
	case "description", "summary":
		return name, member.Type != gjson.String
	case "example", "examples", "links", "externalDocs":
		return name, false
	}
	return name, true
}
