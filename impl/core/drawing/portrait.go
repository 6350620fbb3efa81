package drawing

import "image/color"

// person is what a portrait shows, read from the words or thrown by the dice.
type person struct {
	skin, hair, eyes, cloth color.NRGBA
	style                   string // of the hair
	clothes                 string
	age                     int
	beard, moustache        bool
	cx, top                 float64 // middle of the face, top of the head
}

var (
	skins    = []color.NRGBA{hex(0xf8dcc4), hex(0xf0c8a4), hex(0xdfa878), hex(0xc08552), hex(0x94603c), hex(0x6a4029)}
	hairs    = []color.NRGBA{hex(0x2a2226), hex(0x4b2e20), hex(0x7a4a28), hex(0xb9772f), hex(0xe2b85c), hex(0xa83f1f)}
	irises   = []color.NRGBA{hex(0x4a6fa5), hex(0x4f7d4a), hex(0x6b4423), hex(0x3a2a20)}
	fabrics  = []color.NRGBA{hex(0x3d5a80), hex(0x8c3b4a), hex(0x4a7c59), hex(0xc9763b), hex(0x5e4b8b), hex(0x2f3e46), hex(0xb08968), hex(0x287271)}
	backings = []color.NRGBA{hex(0xf4b393), hex(0xa8d5ba), hex(0x9fc5e8), hex(0xf9d77e), hex(0xcdb4db), hex(0xffc8a2), hex(0xb5c99a), hex(0x8ecae6), hex(0xe5989b)}
	styles   = []string{"short", "side", "long", "curly", "bun", "bob", "spiky"}
)

// portrait draws somebody's head and shoulders.
func (s *sheet) portrait() {
	p := s.person()
	s.backdrop()
	s.hairBehind(p)
	s.body(p)
	s.head(p)
	s.face(p)
	s.hairInFront(p)
	s.extras(p)
}

func (s *sheet) person() person {
	v := s.words
	p := person{
		skin: one(s, skins), hair: one(s, hairs), eyes: one(s, irises), cloth: one(s, fabrics), style: one(s, styles),
		age: v.age(), cx: s.w / 2, top: s.h/2 - 146,
	}
	feminine := v.any("woman", "female", "girl", "lady", "she", "her", "queen", "princess", "mother", "grandmother", "witch", "actress")
	masculine := v.any("man", "male", "boy", "gentleman", "he", "his", "king", "prince", "father", "grandfather", "wizard", "sir")
	if feminine {
		p.style = one(s, []string{"long", "bun", "bob", "curly", "long"})
	}
	if masculine {
		p.style = one(s, []string{"short", "side", "spiky", "short", "curly"})
	}
	p.beard = v.any("beard", "bearded", "wizard") || masculine && !v.has("shaven") && s.chance(0.3)
	p.moustache = v.any("moustache", "mustache")
	s.complexion(&p)
	s.haircut(&p)
	s.outfit(&p)
	return p
}

func (s *sheet) complexion(p *person) {
	v := s.words
	for i, words := range [][]string{{"pale", "porcelain"}, {"fair"}, {"olive", "tan", "tanned"}, {"bronze", "caramel"}, {"brown"}, {"dark", "ebony", "black"}} {
		for _, w := range words {
			if v.has(w) && v.any("skin", "skinned", "complexion") || i < 1 && v.has(w) {
				p.skin = skins[i]
			}
		}
	}
	switch {
	case v.any("orc", "goblin"):
		p.skin = hex(0x8fae5d)
	case v.any("alien", "martian"):
		p.skin = hex(0x7fc8a9)
	case v.any("robot", "android", "cyborg"):
		p.skin = hex(0xb9c4cf)
	case v.any("vampire", "ghost", "zombie"):
		p.skin = hex(0xdfe3dd)
	}
	if c, ok := v.coloured("skin"); ok && !v.any("brown", "black") {
		p.skin = c
	}
	if c, ok := v.coloured("eye", "eyed"); ok {
		p.eyes = c
	}
}

func (s *sheet) haircut(p *person) {
	v := s.words
	if p.age >= 68 {
		p.hair = hex(0xd9d9dc)
	} else if p.age >= 52 {
		p.hair = mix(p.hair, hex(0xb4b2b8), 0.6)
	}
	if c, ok := v.coloured("hair", "haired", "curl", "ponytail", "bun", "beard"); ok {
		p.hair = c
	}
	for word, c := range map[string]color.NRGBA{"blonde": hex(0xe9c46a), "blond": hex(0xe9c46a), "ginger": hex(0xc0561f), "redhead": hex(0xb5451f), "brunette": hex(0x5a3825)} {
		if v.has(word) {
			p.hair = c
		}
	}
	for _, cut := range []struct {
		style string
		words []string
	}{
		{"bald", []string{"bald", "shaved", "hairless"}}, {"curly", []string{"curly", "curl", "afro", "frizzy"}},
		{"bun", []string{"bun", "updo"}}, {"ponytail", []string{"ponytail"}}, {"spiky", []string{"spiky", "punk", "mohawk"}},
		{"bob", []string{"bob"}},
	} {
		if v.any(cut.words...) {
			p.style = cut.style
		}
	}
	if p.style != "bald" && v.any("hair", "haired") {
		if v.has("long") && !v.any("curly", "curl", "ponytail") {
			p.style = "long"
		} else if v.has("short") && !v.any("curly", "curl", "spiky") {
			p.style = "short"
		}
	}
	if v.any("robot", "android") {
		p.style = "bald"
	}
}

// wardrobe is what people wear, with the words for it and its usual colour.
var wardrobe = []struct {
	kind  string
	words []string
	usual uint32
}{
	{"suit", []string{"suit", "tie", "professional", "businessman", "businesswoman", "lawyer", "banker", "executive", "formal", "advisor"}, 0x35415c},
	{"coat", []string{"coat", "doctor", "scientist", "lab", "nurse", "physician", "chemist"}, 0xf2f3f5},
	{"armor", []string{"armor", "armour", "knight", "warrior", "soldier", "paladin"}, 0x9aa5b1},
	{"robe", []string{"robe", "wizard", "witch", "monk", "mage", "priest", "cloak"}, 0x4b3a7a},
	{"hoodie", []string{"hoodie", "hacker", "casual", "student", "programmer", "streetwear"}, 0},
	{"dress", []string{"dress", "gown", "princess", "queen", "ballerina"}, 0},
	{"uniform", []string{"uniform", "police", "officer", "pilot", "captain", "navy"}, 0x27395c},
	{"sweater", []string{"sweater", "jumper", "turtleneck", "cozy", "pullover"}, 0},
	{"shirt", []string{"shirt", "tshirt", "tee", "jersey"}, 0},
}

func (s *sheet) outfit(p *person) {
	p.clothes = one(s, []string{"sweater", "shirt", "hoodie", "shirt"})
	for _, w := range wardrobe {
		if s.words.any(w.words...) {
			p.clothes = w.kind
			if w.usual != 0 {
				p.cloth = mix(hex(w.usual), p.cloth, 0.15)
			}
			break
		}
	}
	if c, ok := s.words.coloured("suit", "shirt", "dress", "hoodie", "coat", "robe", "sweater", "armor", "armour", "jacket", "gown", "uniform", "cloak", "turtleneck", "jumper"); ok {
		p.cloth = c
	}
}

// backdrop is a plain colour with a pattern of the artist's mood.
func (s *sheet) backdrop() {
	base := one(s, backings)
	if c, ok := s.words.coloured("background", "backdrop"); ok {
		base = c
	}
	if s.words.any("night", "gothic", "vampire") {
		base = darker(base, 0.6)
	}
	s.wash(0, 0, s.w, s.h, lighter(base, 0.25), base)
	mark := alpha(lighter(base, 0.5), 150)
	switch s.dice.IntN(4) {
	case 0: // a halo
		s.DrawCircle(s.w/2, s.h/2-30, 208)
		s.filled(mark)
	case 1: // rays
		for i := range 12 {
			s.MoveTo(s.w/2, s.h/2)
			s.DrawArc(s.w/2, s.h/2, s.w+s.h, float64(i)*gradient, float64(i)*gradient+gradient/2)
			s.ClosePath()
			s.filled(mark)
		}
	case 2: // dots
		for y := 20.0; y < s.h; y += 46 {
			for x := 20.0; x < s.w; x += 46 {
				s.DrawCircle(x+float64(int(y/46)%2)*23, y, 7)
			}
		}
		s.filled(mark)
	default: // slanting stripes
		for x := -s.h; x < s.w; x += 64 {
			s.polygon(x, s.h, x+28, s.h, x+28+s.h, 0, x+s.h, 0)
		}
		s.filled(mark)
	}
}

const gradient = 0.5235987755982988 // a twelfth of a turn
