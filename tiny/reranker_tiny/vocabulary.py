"""The words that made-up products and queries are written with: data only, in Chinese and English.

Synonyms stand in one entry, so that "裙子" or "sneakers" finds a product that is called otherwise. Words that share a
part but mean another thing ("衬衫" and "衬衫裙", "dress" and "dress shoes") stand in different entries on purpose: they
are what a reranker has to tell apart. The brands are invented.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


@dataclass(frozen=True)
class Words:
    """The synonyms of one attribute value. The first of each language is the most usual one."""

    zh: tuple[str, ...]
    en: tuple[str, ...]

    def of(self, language: Language) -> tuple[str, ...]:
        """The synonyms in one language."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True)
class Category:
    """A kind of product.

    Attributes:
        group: the broader kind; two categories of one group are related, not equal.
        words: its names.
        style: the style that goes without saying, where there is one (running shoes are sporty).
        sleeves: whether a sleeve length makes sense.
        genders: whom it is made for.
    """

    group: str
    words: Words
    style: str | None = None
    sleeves: bool = False
    genders: tuple[str, ...] = ("men", "women", "kids")


def _words(zh: str, en: str) -> Words:
    return Words(tuple(zh.split("、")), tuple(en.split("|")))


def _category(
    group: str,
    zh: str,
    en: str,
    *,
    style: str | None = None,
    sleeves: bool = False,
    genders: tuple[str, ...] = ("men", "women", "kids"),
) -> Category:
    return Category(group, _words(zh, en), style, sleeves, genders)


_WOMEN = ("women", "kids")

CATEGORIES: dict[str, Category] = {
    "tshirt": _category("tops", "T恤、T恤衫、体恤、圆领T恤", "t-shirt|tee|t shirt|tee shirt", sleeves=True),
    "shirt": _category(
        "tops", "衬衫、衬衣、牛津衬衫", "shirt|dress shirt|button-down shirt|oxford shirt", sleeves=True
    ),
    "hoodie": _category("tops", "卫衣、连帽卫衣、帽衫", "hoodie|sweatshirt|hooded sweatshirt"),
    "sweater": _category("tops", "毛衣、针织衫、羊毛衫", "sweater|knit pullover|jumper|cardigan"),
    "tank": _category("tops", "背心、吊带背心、坎肩", "tank top|vest|tank"),
    "polo": _category("tops", "polo衫、POLO衫、翻领T恤", "polo shirt|polo", sleeves=True),
    "jacket": _category(
        "outerwear", "夹克、皮衣、牛仔外套、棒球服", "jacket|denim jacket|leather jacket|bomber jacket"
    ),
    "down": _category("outerwear", "羽绒服、羽绒外套、棉服", "down jacket|puffer jacket|puffer coat"),
    "trench": _category("outerwear", "风衣、长款风衣、冲锋衣", "trench coat|windbreaker|raincoat"),
    "coat": _category("outerwear", "大衣、呢子大衣、毛呢外套", "wool coat|overcoat|coat|peacoat"),
    "suit": _category("outerwear", "西装、西服、西装外套", "suit|blazer|suit jacket", style="business"),
    "jeans": _category("pants", "牛仔裤、牛仔长裤、丹宁裤", "jeans|denim jeans|denim pants|boot-cut jeans"),
    "sweatpants": _category("pants", "运动裤、卫裤、慢跑裤", "sweatpants|joggers|track pants", style="sport"),
    "shorts": _category("pants", "短裤、五分裤、沙滩裤", "shorts|bermuda shorts|beach shorts"),
    "leggings": _category("pants", "瑜伽裤、紧身裤、打底裤", "leggings|yoga pants|tights", style="sport"),
    "slacks": _category("pants", "西裤、西装裤、正装裤", "dress pants|suit pants|slacks", style="business"),
    "cargo": _category("pants", "工装裤、多口袋裤", "cargo pants|utility pants"),
    "dress": _category(
        "dresses",
        "连衣裙、长裙、衬衫裙、T恤裙、吊带裙、碎花裙",
        "dress|maxi dress|shirt dress|t-shirt dress|sundress|sweater dress",
        sleeves=True,
        genders=_WOMEN,
    ),
    "skirt": _category(
        "dresses", "半身裙、短裙、百褶裙、牛仔裙", "skirt|pleated skirt|denim skirt|mini skirt", genders=_WOMEN
    ),
    "sneakers": _category(
        "shoes",
        "运动鞋、跑步鞋、跑鞋、球鞋",
        "sneakers|running shoes|athletic shoes|trainers",
        style="sport",
    ),
    "boots": _category("shoes", "靴子、马丁靴、短靴、雪地靴", "boots|ankle boots|snow boots|chelsea boots"),
    "sandals": _category("shoes", "凉鞋、沙滩鞋、罗马凉鞋", "sandals|flat sandals|beach sandals"),
    "heels": _category("shoes", "高跟鞋、细跟鞋", "high heels|heels|stilettos", genders=("women",)),
    "slippers": _category("shoes", "拖鞋、棉拖鞋、家居拖鞋", "slippers|house slippers|slides"),
    "loafers": _category(
        "shoes", "皮鞋、乐福鞋、牛津鞋", "leather shoes|dress shoes|loafers|oxfords", style="business"
    ),
    "canvas": _category("shoes", "帆布鞋、板鞋、小白鞋", "canvas shoes|skate shoes|plimsolls"),
    "backpack": _category("bags", "双肩包、背包、书包", "backpack|rucksack|school bag"),
    "handbag": _category("bags", "手提包、托特包、公文包", "handbag|tote bag|tote|briefcase"),
    "crossbody": _category("bags", "斜挎包、单肩包、腰包", "crossbody bag|shoulder bag|belt bag|messenger bag"),
    "cap": _category("hats", "棒球帽、鸭舌帽、遮阳帽", "baseball cap|cap|sun visor"),
    "beanie": _category("hats", "毛线帽、针织帽、冷帽", "beanie|knit hat|watch cap"),
    "bucket": _category("hats", "渔夫帽、盆帽", "bucket hat|fisherman hat"),
    "socks": _category("underwear", "袜子、棉袜、船袜", "socks|ankle socks|boot socks"),
    "pajamas": _category("underwear", "睡衣、家居服、睡衣套装", "pajamas|pyjamas|sleepwear|loungewear"),
    "swimwear": _category("underwear", "泳衣、泳裤、游泳衣", "swimsuit|swimwear|swim trunks"),
    "bra": _category("underwear", "文胸、运动内衣、运动文胸", "bra|sports bra|bralette", genders=("women",)),
    "scarf": _category("accessories", "围巾、披肩、羊绒围巾", "scarf|shawl|wool scarf"),
    "gloves": _category("accessories", "手套、保暖手套、健身手套", "gloves|mittens|gym gloves"),
    "belt": _category("accessories", "皮带、腰带", "belt|leather belt|waist belt"),
    "sunglasses": _category("accessories", "太阳镜、墨镜", "sunglasses|shades"),
    "watch": _category("accessories", "手表、腕表、运动手表", "watch|wristwatch|sports watch"),
    "yogamat": _category("gear", "瑜伽垫、健身垫", "yoga mat|exercise mat", style="sport"),
    "bottle": _category("gear", "水杯、运动水壶、保温杯", "water bottle|sports bottle|thermos"),
    "dumbbell": _category("gear", "哑铃、健身哑铃", "dumbbells|dumbbell set", style="sport"),
}

# Broader words a query may use instead of a category; groups without an entry have none that people use.
GROUPS: dict[str, Words] = {
    "tops": _words("上衣", "top|tops"),
    "outerwear": _words("外套、外衣", "outerwear|jackets and coats"),
    "pants": _words("裤子、裤装", "pants|trousers|bottoms"),
    "dresses": _words("裙子、裙装", "dresses and skirts|dresses skirts"),
    "shoes": _words("鞋子、鞋", "shoes|footwear"),
    "bags": _words("包包、包", "bag|bags"),
    "hats": _words("帽子", "hat|hats|headwear"),
    "accessories": _words("配饰", "accessories"),
}
# "女鞋", "男裤": Chinese joins a short word for whom and a short word for the group. "女装" is no one group's word.
GROUP_SUFFIXES = {"pants": "裤", "dresses": "裙", "shoes": "鞋", "bags": "包"}
CLOTHES_SUFFIXES = {"tops": "装", "outerwear": "装"}
GENDER_PREFIXES = {"men": "男", "women": "女", "kids": "童"}

GENDERS: dict[str, Words] = {
    "men": _words("男士、男款、男、男生、男式、男装、男子、男性", "men's|mens|for men|men|male"),
    "women": _words("女士、女款、女、女生、女式、女装、女子、女性", "women's|womens|for women|women|ladies"),
    "kids": _words("儿童、童款、男童、女童、小孩、宝宝", "kids|children's|for kids|boys|girls|toddler"),
    "unisex": _words("男女同款、情侣款、男女通用、中性", "unisex|for men and women|unisex adult"),
}

SEASONS: dict[str, Words] = {
    "spring": _words("春季、春天、春款、春", "spring"),
    "summer": _words("夏季、夏天、夏款、夏", "summer|summertime"),
    "autumn": _words("秋季、秋天、秋款、秋", "autumn|fall"),
    "winter": _words("冬季、冬天、冬款、冬", "winter|wintertime"),
    "spring+autumn": _words("春秋、春秋款", "spring autumn|spring and fall"),
    "autumn+winter": _words("秋冬、秋冬款", "autumn winter|fall and winter"),
    "spring+summer": _words("春夏、春夏款", "spring summer|spring and summer"),
}

STYLES: dict[str, Words] = {
    "sport": _words("健身、运动、训练、运动风", "gym|workout|fitness|training|athletic|sport"),
    "business": _words("商务、通勤、职业、正装", "business|office|formal|work"),
    "casual": _words("休闲、日常、居家休闲", "casual|everyday|leisure"),
    "street": _words("街头、潮流、嘻哈、潮牌", "streetwear|street|hip hop|urban"),
    "vintage": _words("复古、怀旧、古着", "vintage|retro|old school"),
    "elegant": _words("优雅、气质、名媛", "elegant|chic|graceful"),
    "outdoor": _words("户外、登山、徒步、露营", "outdoor|hiking|camping|trekking"),
    "preppy": _words("学院风、校园、英伦学院", "preppy|campus|college"),
    "minimalist": _words("简约、极简、基础款", "minimalist|simple|basic"),
}

COLOURS: dict[str, Words] = {
    "black": _words("黑色、黑、纯黑", "black|jet black"),
    "white": _words("白色、白、纯白", "white|off-white"),
    "red": _words("红色、大红色、酒红", "red|burgundy|crimson"),
    "blue": _words("蓝色、藏青色、天蓝", "blue|navy|sky blue"),
    "green": _words("绿色、军绿色、墨绿", "green|olive|dark green"),
    "yellow": _words("黄色、姜黄色、鹅黄", "yellow|mustard"),
    "pink": _words("粉色、粉红色、樱花粉", "pink|rose pink"),
    "grey": _words("灰色、浅灰色、深灰", "grey|gray|charcoal"),
    "brown": _words("棕色、咖啡色、卡其色", "brown|coffee|khaki"),
    "purple": _words("紫色、淡紫色、香芋紫", "purple|lavender|violet"),
    "beige": _words("米色、杏色、奶油色", "beige|cream|apricot"),
    "orange": _words("橙色、橘色", "orange|tangerine"),
}

SLEEVES: dict[str, Words] = {
    "short": _words("短袖、半袖", "short sleeve|short-sleeved|short sleeves"),
    "long": _words("长袖", "long sleeve|long-sleeved|long sleeves"),
    "none": _words("无袖", "sleeveless"),
}

BRANDS: dict[str, Words] = {
    "yunlin": _words("云岭", "Yunlin"),
    "lanvoy": _words("朗越", "Lanvoy"),
    "qinghe": _words("青禾", "Qinghe"),
    "bormo": _words("北漠", "Bormo"),
    "tuoye": _words("拓野", "Tuoye"),
    "sujane": _words("素简", "Sujane"),
    "orvitt": _words("奥维特", "Orvitt"),
    "lanyu": _words("蓝屿", "Lanyu"),
    "aurodeer": _words("极光鹿", "Aurodeer"),
    "muxi": _words("木栖", "Muxi"),
    "starchi": _words("星驰", "Starchi"),
    "vernoa": _words("维诺", "Vernoa"),
    "calosse": _words("卡洛思", "Calosse"),
    "senwon": _words("森原", "Senwon"),
    "yufeng": _words("驭风", "Yufeng"),
    "berkto": _words("柏客", "Berkto"),
}

# What words that are in no table are made of: brands and kinds of product nobody taught the model. Syllables, whole
# words and, in Chinese, any two or three common characters.
SYLLABLES = (
    "ba", "bor", "cal", "dan", "del", "dor", "el", "fen", "gar", "hal", "in", "jo", "kel", "lan", "lor", "mar", "mel",
    "mo", "nar", "nel", "or", "pan", "per", "quin", "ran", "rel", "sal", "sen", "tal", "tor", "ul", "val", "vik", "wen",
    "xan", "yor", "zel", "zin", "ton", "ley", "ford", "dex", "tek", "na", "ra", "so",
)  # fmt: skip
WHOLE_WORDS = (
    "maple", "falcon", "granite", "river", "anchor", "summit", "cedar", "comet", "harbor",
    "juniper", "kestrel", "lotus", "meadow", "nova", "orbit", "panda", "quartz", "raven", "saturn",
    "tiger", "umbra", "violin", "willow", "zephyr", "arrow", "bison", "canyon", "delta", "ember",
    "forest", "glacier", "hammer", "island", "jaguar", "koala", "lemon", "mango", "needle", "ocean",
    "pepper", "rocket", "silver", "thunder", "unity", "valley", "yacht", "zebra", "table", "phone",
    "lamp", "carpet", "guitar", "camera", "pillow", "candle", "bicycle", "printer", "kettle",
    "mirror",
)  # fmt: skip

# Words of titles that no query asks for.
FILLERS = Words(
    zh=(
        "新款", "2024新款", "2025", "透气", "宽松", "修身", "百搭", "显瘦", "舒适",
        "轻薄", "纯棉", "速干", "时尚", "高端", "大码", "ins", "韩版", "爆款", "正品",
        "旗舰店", "防滑", "耐磨", "加厚", "柔软", "弹力", "印花", "纯色", "高级感", "薄款",
        "官方", "学生", "青年", "亲肤", "网红", "品质", "礼物",
    ),
    en=(
        "new", "2024", "2025", "breathable", "loose fit", "slim fit", "comfortable", "lightweight", "soft", "cotton",
        "quick dry", "stretch", "fashion", "premium", "plus size", "classic", "printed", "solid color", "non-slip",
        "durable", "trendy", "thick", "gift", "high quality", "regular fit", "with pockets",
        "moisture wicking", "washable", "designer", "hot sale", "official", "set", "pack", "adjustable",
    ),
)  # fmt: skip

# What a product can be worn with: it names another category, and must not count as that.
COMPANIONS = Words(zh=("搭配{}", "可配{}", "适合搭{}"), en=("goes with {}", "to wear with {}", "pairs with {}"))
