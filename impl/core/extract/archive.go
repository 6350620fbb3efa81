package extract

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"

	"golang.org/x/net/html/charset"
)

const (
	entriesMax    = 20_000
	entryBytesMax = 64 << 20  // of one unpacked entry
	totalBytesMax = 256 << 20 // of all entries read
	ratioMax      = 200       // unpacked to packed, from ratioFrom on: office files stay under 100
	ratioFrom     = 8 << 20
	xmlDepthMax   = 1000
)

// errBomb is an archive that unpacks to more than any document needs.
var errBomb = errors.New("the archive unpacks to too much")

// archive is an opened zip file. Entries are read into memory, counted.
type archive struct {
	files  map[string]*zip.File
	read   int
	limits Limits
}

func openArchive(in input) (*archive, error) {
	z, err := zip.NewReader(bytes.NewReader(in.content), int64(len(in.content)))
	if err != nil {
		return nil, damaged(err)
	}
	if len(z.File) > entriesMax {
		return nil, refuse("The file holds more than %d entries.", entriesMax)
	}
	a := &archive{files: make(map[string]*zip.File, len(z.File)), limits: in.Limits}
	var declared uint64
	for _, f := range z.File {
		if declared += f.UncompressedSize64; declared > totalBytesMax {
			return nil, errBomb
		}
		if _, twice := a.files[f.Name]; !twice {
			a.files[f.Name] = f
		}
	}
	return a, nil
}

func (a *archive) has(name string) bool { return a.files[name] != nil }

// entry returns what name holds; nil when there is no such entry. Declared sizes
// are not believed.
func (a *archive) entry(name string) ([]byte, error) {
	f := a.files[name]
	if f == nil {
		return nil, nil
	}
	r, err := f.Open()
	if err != nil {
		return nil, damaged(err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, entryBytesMax+1))
	if err != nil {
		return nil, damaged(err)
	}
	a.read += len(data)
	packed := max(1, int(min(f.CompressedSize64, entryBytesMax)))
	if len(data) > entryBytesMax || a.read > totalBytesMax || len(data) > ratioFrom && len(data)/packed > ratioMax {
		return nil, errBomb
	}
	return data, nil
}

// readArchive finds out which kind of document an archive is.
func readArchive(in input, b *builder) error {
	a, err := openArchive(in)
	if err == nil {
		err = a.document(in, b)
	}
	if errors.Is(err, errBomb) {
		return refuse("The file unpacks to more than is read.")
	}
	return err
}

func (a *archive) document(in input, b *builder) error {
	switch {
	case a.has("EncryptionInfo") || a.has("META-INF/rights.xml"):
		return refuse("The file is protected.")
	case a.has("word/document.xml"):
		return a.readDOCX(b)
	case a.has("xl/workbook.xml"):
		return a.readXLSX(in, b)
	case a.has("ppt/presentation.xml"):
		return a.readPPTX(b)
	case a.has("META-INF/container.xml"):
		return a.readEPUB(b)
	}
	return refuse("Archives are not read, only DOCX, XLSX, PPTX and EPUB. Upload what is inside.")
}

// decoder reads XML without a document type: that is where entities come from,
// and no format read here has any use for them.
func decoder(data []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = charset.NewReaderLabel
	return d
}

// walkXML calls start, text and end for what data holds. Start returning false
// skips the element. Nil data is an empty document.
type xmlHandler struct {
	start func(xml.StartElement) bool
	text  func(string)
	end   func(name string)
}

func walkXML(data []byte, h xmlHandler) error {
	if data == nil {
		return nil
	}
	d := decoder(data)
	depth := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth > xmlDepthMax {
				return refuse("The file is nested too deeply.")
			}
			if h.start != nil && !h.start(t) {
				depth--
				if err := d.Skip(); err != nil {
					return damaged(err)
				}
			}
		case xml.EndElement:
			depth--
			if h.end != nil {
				h.end(t.Name.Local)
			}
		case xml.CharData:
			if h.text != nil {
				h.text(string(t))
			}
		case xml.Directive:
			if bytes.Contains(bytes.ToUpper(t), []byte("<!ENTITY")) || bytes.Contains(bytes.ToUpper(t), []byte("[")) {
				return refuse("The file defines XML entities, which are not read.")
			}
		}
	}
}

func xmlAttr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// properties reads the Dublin Core title and language of an office file.
func (a *archive) properties(b *builder) error {
	data, err := a.entry("docProps/core.xml")
	if err != nil {
		return err
	}
	var name string
	return walkXML(data, xmlHandler{
		start: func(e xml.StartElement) bool { name = e.Name.Local; return true },
		end:   func(string) { name = "" },
		text: func(text string) {
			switch name {
			case "title":
				b.doc.Title += text
			case "description":
				b.doc.Description += text
			case "language":
				b.doc.Language += text
			}
		},
	})
}

// relations returns the targets that part refers to, by id, as names of entries.
func (a *archive) relations(part string) (map[string]string, error) {
	data, err := a.entry(path.Join(path.Dir(part), "_rels", path.Base(part)+".rels"))
	if err != nil {
		return nil, err
	}
	targets := map[string]string{}
	err = walkXML(data, xmlHandler{start: func(e xml.StartElement) bool {
		if e.Name.Local == "Relationship" && xmlAttr(e, "TargetMode") != "External" {
			targets[xmlAttr(e, "Id")] = within(part, xmlAttr(e, "Target"))
		}
		return true
	}})
	return targets, err
}

// within resolves a target as an entry's name.
func within(part, target string) string {
	if rooted, ok := strings.CutPrefix(target, "/"); ok {
		return path.Clean(rooted)
	}
	return path.Join(path.Dir(part), target)
}
