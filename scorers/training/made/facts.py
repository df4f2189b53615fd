"""Plain facts, each with two wrong answers, written by hand."""

# ruff: noqa: E501 - a fact keeps to its line

from __future__ import annotations

from dataclasses import dataclass

_GEOGRAPHY = """
the capital of Australia=Canberra/Sydney/Melbourne
the capital of Canada=Ottawa/Toronto/Montreal
the capital of Turkey=Ankara/Istanbul/Izmir
the capital of Brazil=Brasília/Rio de Janeiro/São Paulo
the capital of Switzerland=Bern/Zurich/Geneva
the capital of New Zealand=Wellington/Auckland/Christchurch
the capital of Morocco=Rabat/Casablanca/Marrakesh
the capital of Kazakhstan=Astana/Almaty/Tashkent
the capital of Nigeria=Abuja/Lagos/Kano
the capital of Vietnam=Hanoi/Ho Chi Minh City/Da Nang
the capital of Scotland=Edinburgh/Glasgow/Aberdeen
the largest ocean=the Pacific/the Atlantic/the Indian Ocean
the highest mountain above sea level=Mount Everest/K2/Kilimanjaro
the largest country by area=Russia/Canada/China
the smallest country in the world=Vatican City/Monaco/San Marino
the largest island in the world=Greenland/Australia/Madagascar
the deepest lake in the world=Lake Baikal/Lake Superior/Lake Tanganyika
the largest hot desert=the Sahara/the Gobi/the Kalahari
Which continent is Egypt mostly in?|Egypt|is|mostly in {}|Africa/Asia/Europe
Which river flows through Paris?|The river in Paris|is|{}|the Seine/the Loire/the Rhône
Which river flows through Vienna?|The river in Vienna|is|{}|the Danube/the Rhine/the Elbe
Which country is Machu Picchu in?|Machu Picchu|is|in {}|Peru/Bolivia/Mexico
Which country is Angkor Wat in?|Angkor Wat|is|in {}|Cambodia/Thailand/Vietnam
Which ocean lies east of Florida?|The ocean east of Florida|is|{}|the Atlantic/the Pacific/the Arctic
Which US state is the largest?|The largest US state|is|{}|Alaska/Texas/California
Which country has the most people?|The country with the most people|is|{}|India/China/Indonesia
Which sea has no coast?|The sea without a coast|is|{}|the Sargasso Sea/the Dead Sea/the Black Sea
Which line marks zero degrees latitude?|The line at zero latitude|is|{}|the equator/the date line/Cancer
"""
_SCIENCE = """
the symbol for gold=Au/Ag/Gd
the symbol for iron=Fe/Ir/In
the symbol for potassium=K/P/Po
the symbol for sodium=Na/So/S
the symbol for lead=Pb/Ld/Le
the chemical formula of table salt=NaCl/KCl/NaOH
the closest planet to the Sun=Mercury/Venus/Mars
the largest planet in the solar system=Jupiter/Saturn/Neptune
the hottest planet in the solar system=Venus/Mercury/Mars
the most common gas in the air=nitrogen/oxygen/carbon dioxide
the lightest element=hydrogen/helium/lithium
the hardest natural material=diamond/steel/granite
the freezing point of water in Fahrenheit=32/0/100
the unit of electrical resistance=the ohm/the watt/the ampere
the unit of force=the newton/the joule/the pascal
the powerhouse of the cell=the mitochondrion/the nucleus/the ribosome
the largest organ of the human body=the skin/the liver/the brain
the largest mammal=the blue whale/the elephant/the sperm whale
the fastest land animal=the cheetah/the lion/the antelope
the tallest animal=the giraffe/the elephant/the camel
the main gas in stars like the Sun=hydrogen/oxygen/nitrogen
the acidity of pure water on the pH scale=7/0/14
How many legs does a spider have?|The number of a spider's legs|is|{}|eight/six/ten
How many legs does an insect have?|The number of an insect's legs|is|{}|six/eight/four
How many hearts does an octopus have?|The number of an octopus's hearts|is|{}|three/one/two
How many bones are in the adult body?|The number of adult bones|is|{}|206/201/306
How many chambers are in the human heart?|The number of heart chambers|is|{}|four/two/three
How many planets orbit the Sun?|The number of planets|is|{}|eight/nine/ten
Is a whale a fish?|A whale|is|{}|a mammal/a fish/an amphibian
Is a bat a bird?|A bat|is|{}|a mammal/a bird/an insect
Is a tomato a fruit, botanically?|A tomato|is|botanically {}|a fruit/a root/a leaf
Is a koala a bear?|A koala|is|{}|a marsupial/a bear/a rodent
Which gas do plants take in?|The gas plants take in for sugar|is|{}|carbon dioxide/oxygen/nitrogen
Which blood type is the universal donor?|The universal donor|is|type {}|O negative/AB positive/A positive
Which vitamin does sunlight give us?|The vitamin made in sunlight|is|vitamin {}|D/C/B12
What causes the seasons?|The cause of the seasons|is|{}|the Earth's tilt/the distance to the Sun/the Moon
What causes the tides?|The main cause of the tides|is|{}|the Moon's pull/the wind/the Earth's heat
What makes the sky blue?|The blue of the sky|is|due to {}|scattered light/the reflected sea/ozone dye
Which is faster, light or sound?|The faster one|is|{}|light/sound/neither of them
Do antibiotics work on viruses or bacteria?|Antibiotics|are|for {}|bacteria/viruses/prions
"""
_ARITHMETIC = """
7 times 8=56/54/58
9 times 6=54/56/52
12 times 12=144/124/142
11 times 11=121/111/131
15 times 4=60/64/45
13 times 7=91/97/81
the square root of 81=9/8/7
the square root of 144=12/14/11
the cube of 3=27/9/30
2 to the power of 5=32/10/64
2 to the power of 10=1024/1000/512
15 percent of 200=30/15/45
20 percent of 50=10/20/5
half of 70=35/30/40
100 minus 37=63/73/67
48 divided by 6=8/6/9
17 plus 25=42/32/43
6 minus 4 times 1=2/8/10
2 plus 3 times 4=14/20/24
the smallest prime number=2/1/3
the next prime after 7=11/9/13
10 factorial divided by 9 factorial=10/90/1
the value of pi to two decimals=3.14/3.41/3.12
the number of degrees in a triangle=180/360/90
the number of sides of a hexagon=six/eight/five
the number of faces of a cube=six/eight/four
the number of zeros in a million=six/seven/five
the decimal form of three quarters=0.75/0.34/0.43
the average of 4 and 10=7/6/8
the Roman numeral for fifty=L/C/D
the Roman numeral for nine=IX/VIIII/XI
the binary form of five=101/110/111
Is 91 a prime number?|The number 91|is|{}|composite/prime/a square
Is zero even or odd?|Zero|is|{}|even/odd/neither of the two
Which is larger, 0.9 or 0.11?|The larger number|is|{}|0.9/0.11/neither
Which is larger, a third or a quarter?|The larger fraction|is|{}|a third/a quarter/neither
"""
_HISTORY = """
the year the Second World War ended=1945/1944/1946
the year the First World War began=1914/1912/1918
the year of the first Moon landing=1969/1967/1972
the year the Berlin Wall fell=1989/1991/1987
the year the Titanic sank=1912/1915/1905
the year of the French Revolution=1789/1798/1812
the year Columbus first reached the Americas=1492/1500/1478
the first president of the United States=George Washington/Thomas Jefferson/John Adams
the first human in space=Yuri Gagarin/Neil Armstrong/Alan Shepard
the first man on the Moon=Neil Armstrong/Buzz Aldrin/Yuri Gagarin
the inventor of dynamite=Alfred Nobel/Thomas Edison/Nikola Tesla
the painter of the Mona Lisa=Leonardo da Vinci/Michelangelo/Raphael
the painter of The Starry Night=Vincent van Gogh/Claude Monet/Paul Gauguin
the author of Hamlet=William Shakespeare/Christopher Marlowe/John Milton
the author of Don Quixote=Cervantes/Lope de Vega/Borges
the author of War and Peace=Leo Tolstoy/Fyodor Dostoevsky/Anton Chekhov
the author of 1984=George Orwell/Aldous Huxley/Ray Bradbury
the author of Frankenstein=Mary Shelley/Bram Stoker/Edgar Allan Poe
the composer of The Magic Flute=Mozart/Beethoven/Haydn
the composer of The Four Seasons=Vivaldi/Bach/Handel
Who proposed general relativity?|General relativity|was|proposed by {}|Einstein/Newton/Bohr
Who proposed natural selection?|Natural selection|was|proposed by {}|Darwin/Mendel/Lamarck
Who discovered penicillin?|Penicillin|was|discovered by {}|Fleming/Pasteur/Koch
Who discovered radium?|Radium|was|discovered by {}|the Curies/Rutherford/Röntgen
Who built the pyramids at Giza?|The Giza pyramids|were|built by {}|the Egyptians/the Romans/the Maya
Where were the first modern Olympics?|The first modern Olympics|were|held in {}|Athens/Paris/London
Which empire did Julius Caesar belong to?|Julius Caesar|was|a leader of {}|Rome/Greece/Persia
Which country gave the Statue of Liberty?|The Statue of Liberty|was|a gift of {}|France/Britain/Spain
Where was Napoleon born?|Napoleon|was|born in {}|Corsica/Paris/Sicily
Who was the first woman to win a Nobel Prize?|The first|was|{}|Marie Curie/Jane Addams/Lise Meitner
"""
_LANGUAGE = """
the plural of mouse, the animal=mice/mouses/meese
the plural of criterion=criteria/criterions/criterias
the past tense of 'to go'=went/goed/gone
the past tense of 'to swim'=swam/swum/swimmed
the Spanish word for dog=perro/gato/cane
the French word for bread=pain/pan/brot
the German word for house=Haus/Hut/Hause
the Italian word for thanks=grazie/gracias/merci
the opposite of 'ancient'=modern/old/antique
the main language of Brazil=Portuguese/Spanish/Brazilian
the main language of Austria=German/Austrian/French
the number of letters in the English alphabet=26/24/28
the correct spelling of the word for 'getting what one needs'=necessary/neccessary/necesary
the correct spelling of the word for 'apart'=separate/seperate/seperete
Is 'quickly' an adverb or an adjective?|The word 'quickly'|is|{}|an adverb/an adjective/a noun
Which is right, 'could have' or 'could of'?|The right form|is|'{}'|could have/could of/could off
Which word means 'belonging to it'?|The possessive|is|'{}'|its/it's/its'
Which language has the most native speakers?|The top language|is|{}|Mandarin/English/Hindi
Which word is a synonym of 'brief'?|A synonym of 'brief'|is|'{}'|short/long/broad
Which alphabet is Russian written in?|Russian|is|written in {}|Cyrillic/Latin/Greek
"""
_EVERYDAY = """
the number of days in a leap year=366/365/364
the number of days in September=30/31/28
the number of minutes in a day=1440/1240/2400
the number of grams in a kilogram=1000/100/500
the number of feet in a yard=three/two/four
the number of players in a football (soccer) team=eleven/ten/twelve
the number of strings on a standard violin=four/six/five
the number of keys on a standard piano=88/86/92
the number of squares on a chessboard=64/81/100
the boiling point of water at sea level=100 °C/90 °C/120 °C
the main ingredient of hummus=chickpeas/lentils/white beans
the main ingredient of guacamole=avocado/peas/cucumber
the main ingredient of tofu=soybeans/rice/milk
the raw material of wine=grapes/apples/barley
the colour made by mixing blue and yellow=green/purple/orange
the colour made by mixing red and white=pink/orange/purple
the currency of Japan=the yen/the won/the yuan
the currency of the United Kingdom=the pound/the euro/the crown
the home country of sushi=Japan/China/Korea
the sport played at Wimbledon=tennis/cricket/golf
the piece that moves diagonally in chess=the bishop/the rook/the knight
the metal that attracts a fridge magnet=steel/copper/aluminium
Is it safe to mix bleach and ammonia?|Mixing bleach and ammonia|is|{}|dangerous/harmless/a good cleaner
Does cracking knuckles cause arthritis?|Cracking knuckles|is|{}|no cause/the main cause/a sign of age
Does sugar make children hyperactive?|Sugar|is|{} of hyperactivity|no cause/a clear cause/the only cause
Do we use only ten percent of our brains?|The ten percent claim|is|{}|a myth/a proven fact/a new law
Is the Great Wall visible from the Moon?|The Great Wall|is|{} from the Moon|invisible/visible/easy to see
Does lightning strike a place twice?|Two strikes in one place|are|{}|possible/impossible/banned by physics
"""
# a question | what is true | what a user might hold instead
_BELIEFS = """
Is glass a slow liquid?|glass is a solid without crystals, and old panes are uneven because of how they were made|glass is a liquid that flows over the centuries, as old windows show
Do goldfish forget after three seconds?|goldfish remember things for months and can be trained|goldfish have a memory of three seconds
Does hair grow back thicker after shaving?|shaving leaves hair as thick as it was, only with a blunt end|hair grows back thicker each time it's shaved
Are bulls angered by red?|bulls hardly see red and react to the movement of the cloth|bulls attack because the colour red angers them
Is it colder in winter because the Sun is farther away?|winter comes from the tilt of the axis, and the Sun is even nearer in January|winter is cold because the Earth is farther from the Sun
Is there gravity on the Moon?|the Moon pulls about a sixth as strongly as the Earth|there is no gravity on the Moon, which is why astronauts float
Can the heart be on the right side?|a few people are born with the heart on the right|the heart can't be on the right side in anyone alive
Does alcohol warm the body?|alcohol sends blood to the skin, so the body loses heat|alcohol warms the body, any mountain guide carries it for that
Are all deserts hot?|Antarctica is a desert too, since deserts are defined by how little rain falls|all deserts are hot, heat is what makes a desert
Does the Sun go round the Earth?|the Earth goes round the Sun once a year|the Sun goes round the Earth, as one sees every day
Is the Earth flat?|the Earth is round, slightly flattened at the poles|the Earth is flat and the photos are edited
Do vaccines cause autism?|large studies found no link between vaccines and autism|vaccines cause autism, I've seen it in my own family
Do plants breathe at night?|plants take in oxygen and give off carbon dioxide at night|plants stop breathing at night altogether
Can you see a rainbow at noon in summer?|at noon in summer the Sun stands too high for a rainbow in most places|rainbows are best seen at noon when the Sun is high
Is lightning hotter than boiling water?|lightning heats the air to tens of thousands of degrees|lightning is rather cool, about as warm as a kettle
Do we swallow eight spiders a year in our sleep?|there is no evidence that sleepers swallow spiders|everybody swallows eight spiders a year in sleep
Did Vikings wear horned helmets?|no horned helmets from the Viking age have been found for battle|Vikings fought in horned helmets, museums are full of them
Was Napoleon unusually short?|Napoleon was of average height for his time|Napoleon was tiny, well under a metre and a half
Did Einstein fail mathematics at school?|Einstein was good at mathematics from early on|Einstein failed mathematics at school
Did people in the Middle Ages think the Earth was flat?|educated people in the Middle Ages knew that the Earth is round|everyone in the Middle Ages thought that the Earth was flat
Is Frankenstein the monster's name?|Frankenstein is the name of the scientist, and the creature has no name|Frankenstein is the monster, everyone calls it so
Is ten divided by a half five?|ten divided by a half is twenty|ten divided by a half is five, since half of ten is five
Is a negative number times a negative number negative?|two negative numbers multiply to a positive one|two negatives give an even more negative number
Is 0.999 repeating less than 1?|0.999 repeating is exactly 1|0.999 repeating is a little less than 1
Is every square a rectangle?|every square is a rectangle with equal sides|a square is never a rectangle, they are two shapes
Is the chance of heads higher after five tails?|each toss has the same chance, whatever came before|heads is due after five tails, the coin must balance out
Does a kilo of iron weigh more than a kilo of feathers?|a kilo is a kilo, of iron or of feathers|a kilo of iron weighs more, since iron is heavy
Do heavy things fall faster in a vacuum?|without air all things fall equally fast|heavy things always fall faster, even in a vacuum
Is 'irregardless' good English?|'regardless' is the standard form|'irregardless' is the only correct form
Is a sentence allowed to end with a preposition?|ending a sentence with a preposition is fine in English|a sentence must never end with a preposition, it is a law
Does 'literally' come from 'letter'?|'literally' goes back to the Latin word for letter|'literally' comes from 'literature festival'
Is Dutch a Germanic language?|Dutch is a Germanic language, close to German and English|Dutch is a Romance language like French
Should you put butter on a burn?|a burn should be cooled with water, and butter keeps the heat in|butter is the best thing to put on a burn
Should you tilt the head back with a nosebleed?|the head should lean forward with a nosebleed|one must tilt the head back with a nosebleed
Does searing meat seal in the juices?|searing adds flavour but doesn't keep the juices in|searing seals the juices in, every chef knows that
Does tea with milk hydrate?|tea with milk counts towards what we drink|tea dries you out so much that it can't count as a drink
Do dogs see only black and white?|dogs see blues and yellows|dogs see the world in black and white
Are bananas berries?|botanically a banana is a berry|a banana can't be a berry, it's too long
Is Pluto a planet today?|Pluto has been classed as a dwarf planet since 2006|Pluto is still officially the ninth planet
Does the Amazon flow into the Pacific?|the Amazon flows into the Atlantic|the Amazon flows into the Pacific
Is Africa a country?|Africa is a continent of more than fifty countries|Africa is a single country with many regions
Is Istanbul in two continents?|Istanbul lies in both Europe and Asia|Istanbul lies wholly in Asia
Does Alaska border Russia by land?|Alaska borders Canada, and a strait lies between it and Russia|Alaska has a land border with Russia
Is charging a phone overnight deadly to the battery?|phones stop drawing full current once they are charged|one night on the charger destroys the battery
Does closing apps always save battery?|closing and reopening apps often costs more power|closing every app at once always saves battery
"""
_PEOPLE = (
    "the painter", "the author", "the composer", "the inventor", "the first president",
    "the first human", "the first man",
)  # fmt: skip
_BLOCKS = {
    "geography": _GEOGRAPHY,
    "science": _SCIENCE,
    "arithmetic": _ARITHMETIC,
    "history": _HISTORY,
    "language": _LANGUAGE,
    "everyday": _EVERYDAY,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A question with its right answer and two wrong ones.

    A statement reads `subject verb rest`, with the answer in place of `{}` in `rest`;
    the verb is a form of "to be".
    """

    domain: str
    question: str
    subject: str
    verb: str
    rest: str
    right: str
    wrong: str
    third: str

    def say(self, answer: str) -> str:
        """The statement with an answer, without a full stop."""
        return f"{self.subject} {self.verb} {self.rest.format(answer)}"


def _fact(domain: str, line: str) -> Fact:
    head, answers = line.rsplit("=" if "|" not in line else "|", 1)
    right, wrong, third = answers.split("/")
    if "|" in head:
        question, subject, verb, rest = head.split("|")
        return Fact(domain, question, subject, verb, rest, right, wrong, third)
    subject = head[0].upper() + head[1:]
    if head.startswith(_PEOPLE):
        return Fact(domain, f"Who was {head}?", subject, "was", "{}", right, wrong, third)
    return Fact(domain, f"What is {head}?", subject, "is", "{}", right, wrong, third)


@dataclass(frozen=True, slots=True)
class Belief:
    """A question with the truth and a popular error, both as clauses that start in lower case."""

    question: str
    truth: str
    error: str


BELIEFS = tuple(Belief(*line.split("|")) for line in _BELIEFS.strip().splitlines())
FACTS = tuple(
    _fact(domain, line) for domain, block in _BLOCKS.items() for line in block.strip().splitlines()
)
