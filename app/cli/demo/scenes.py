"""What the demo data is made of: scenes with their genres and sound, and words for names that nobody bears."""

from typing import NamedTuple


class Scene(NamedTuple):
    """A kind of music and its usual sound: features from 0 to 1, tempo in BPM, loudness in dB, length in seconds."""

    genres: tuple[str, ...]
    energy: float
    danceability: float
    acousticness: float
    instrumentalness: float
    valence: float
    tempo: float
    loudness: float
    seconds: int


SCENES = (
    Scene(
        ("indie rock", "alternative rock", "garage rock", "post-punk", "shoegaze"),
        0.75, 0.50, 0.12, 0.10, 0.50, 126, -6.5, 225,
    ),
    Scene(
        ("house", "techno", "drum and bass", "ambient", "electro swing"),
        0.70, 0.72, 0.08, 0.65, 0.40, 128, -8.0, 330,
    ),
    Scene(
        ("hip hop", "trap", "boom bap", "grime", "rap français"),
        0.65, 0.78, 0.15, 0.02, 0.48, 105, -7.0, 190,
    ),
    Scene(
        ("singer-songwriter", "indie folk", "americana", "freak folk"),
        0.35, 0.48, 0.75, 0.08, 0.40, 110, -12.0, 215,
    ),
    Scene(
        ("pop", "dance pop", "k-pop", "synthpop", "hyperpop"),
        0.68, 0.70, 0.18, 0.01, 0.60, 118, -5.5, 200,
    ),
    Scene(
        ("r&b", "neo soul", "nu jazz", "bossa nova", "música popular brasileira"),
        0.48, 0.65, 0.40, 0.12, 0.58, 98, -9.0, 245,
    ),
    Scene(
        ("metal", "black metal", "doom metal", "metalcore"),
        0.93, 0.38, 0.02, 0.25, 0.28, 138, -4.5, 290,
    ),
    Scene(
        ("classical", "minimalism", "musique concrète", "early music"),
        0.15, 0.25, 0.93, 0.88, 0.22, 95, -22.0, 400,
    ),
)  # fmt: skip

ADJECTIVES = (
    "Amber", "Bitter", "Blue", "Borrowed", "Broken", "Certain", "Crooked", "Distant", "Electric", "Empty",
    "Faded", "Foreign", "Gentle", "Golden", "Hollow", "Hidden", "Idle", "Late", "Little", "Long", "Lost",
    "Magnetic", "Midnight", "Modern", "Narrow", "Northern", "Novel", "Pale", "Paper", "Patient", "Quiet",
    "Restless", "Second", "Secret", "Silver", "Slow", "Sudden", "Tidal", "Velvet", "Warm", "Wild", "Winter",
)  # fmt: skip
NOUNS = (
    "Album", "Anchor", "Arcade", "Ballroom", "Balcony", "Bridge", "Canyon", "Carousel", "Circuit", "Cloud",
    "Coast", "Comet", "Corridor", "Delta", "Echo", "Engine", "Fever", "Field", "Fountain", "Garden", "Ghost",
    "Harbour", "Horizon", "Island", "Jungle", "Kitchen", "Lantern", "Letter", "Machine", "Meadow", "Mirror",
    "Motel", "Ocean", "Orchard", "Parade", "Planet", "Radio", "River", "Satellite", "Season", "Shadow",
    "Signal", "Skyline", "Staircase", "Station", "Summer", "Theatre", "Tunnel", "Valley", "Window",
)  # fmt: skip
VERBS = (
    "Believe", "Call", "Carry", "Catch", "Chase", "Dance With", "Dream Of", "Find", "Follow", "Forget", "Hold",
    "Keep", "Leave", "Meet", "Miss", "Remember", "Save", "Show", "Teach", "Wait For", "Wake",
)  # fmt: skip
PLACES = (
    "Aarhus", "Belém", "Bergen", "Chicago", "Córdoba", "Dakar", "Gdańsk", "Glasgow", "Göteborg", "Kyōto",
    "Leipzig", "Lisbon", "Lyon", "Malmö", "Naples", "Oslo", "Praha", "Reykjavík", "Seoul", "Tallinn",
    "the Rain", "the Suburbs", "Zürich",
)  # fmt: skip
FIRST_NAMES = (
    "Ada", "Amir", "Anneke", "Bruno", "Carla", "Chidi", "Chloé", "Dario", "Dilan", "Edith", "Elif", "Emeka",
    "Farah", "Finn", "Freya", "Gustav", "Hana", "Hugo", "Ines", "Ivo", "Jamal", "Jonas", "Kaya", "Kenji",
    "Lars", "Leïla", "Lena", "Lucía", "Mads", "Mei", "Milan", "Mona", "Nadia", "Noor", "Olga", "Oskar", "Pavel",
    "Priya", "Quentin", "Rafael", "Ravi", "Rosa", "Sofia", "Sven", "Tariq", "Thandi", "Uma", "Viktor", "Wanda",
    "Xenia", "Yara", "Yusuf", "Zoë", "Zuri",
)  # fmt: skip
LAST_NAMES = (
    "Abara", "Bakker", "Castellanos", "Dahl", "Eriksen", "Fontaine", "Grau", "Haddad", "Ilves", "Jansson",
    "Kowalczyk", "Lindqvist", "Marchetti", "Nakagawa", "Okafor", "Petrov", "Quispe", "Rosenthal", "Sørensen",
    "Tavares", "Uchida", "Vasconcelos", "Weiß", "Yücel", "Żak",
)  # fmt: skip
