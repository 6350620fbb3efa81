package extract

// ReadHere reads a file in the test's own process, so that a fuzzed reader does
// not cost a process each time.
func ReadHere(name string, content []byte) (Document, error) {
	in := input{Name: name, Limits: Limits{OutputBytesMax: 1 << 20, PagesMax: 50}.withDefaults(), content: content}
	f, err := in.sniff()
	if err != nil {
		return Document{}, err
	}
	return in.read(f)
}
